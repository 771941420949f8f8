//! A connection that ends in time. The framework limits how long the first head of a connection may take,
//! and how long a connection may be idle; everything else is limited here.
//!
//! Between two requests, a client that has sent something must get its answer within [`ARRIVAL`]: so ends
//! a connection whose next head, or the rest of an answered request, dribbles or never ends. A client that
//! does not read its answers has [`ABSORPTION`] for it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long the head of a further request may take, and what is left of an answered one. A little longer
/// than the framework's limit for the first head, which leads to a response.
const ARRIVAL: Duration = Duration::from_secs(12);

/// What ends a head. A read that brings only a part of it counts as the begin of another request until the next
/// one, which does no harm: the time for that is long.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// How long a client may go on with the body of a request that has its answer already. It must be able to
/// read the answer before the connection ends.
const DRAINING: Duration = Duration::from_secs(2);

/// How long a client may take to read what was written.
const ABSORPTION: Duration = Duration::from_secs(30);

/// Whether a request of the connection is being answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Busy {
    answering: Rc<Cell<bool>>,
    /// Since when something has arrived, and nothing was written.
    arriving_since: Rc<Cell<Option<Instant>>>,
    /// Whether a body of the request was announced.
    has_body: Rc<Cell<bool>>,
    /// Whether the body of the request may not have been read to its end.
    unread: Rc<Cell<bool>>,
    /// Since when a request is answered whose body was not read to its end.
    draining_since: Rc<Cell<Option<Instant>>>,
    /// Whether the last bytes that were read are not the end of a head. If no body was announced, they are the
    /// begin of another request, which arrived together with this one.
    begins_another: Rc<Cell<bool>>,
    /// Since when a request is answered, and such a begin has arrived with it.
    begun_since: Rc<Cell<Option<Instant>>>,
}

impl Busy {
    /// The connection of a request.
    pub fn of(request: &HttpRequest) -> Option<&Self> {
        request.conn_data::<Self>()
    }

    /// A request has arrived. What reads its body has its own limit.
    pub fn begin(&self, has_body: bool) {
        self.answering.set(true);
        self.unread.set(has_body);
        self.has_body.set(has_body);
        self.begun_since.set(None);
        self.draining_since.set(None);
        self.arriving_since.set(None);
    }

    /// The body of the request was read to its end.
    pub fn has_read_body(&self) {
        self.unread.set(false);
    }

    /// The request has its answer.
    pub fn end(&self) {
        self.answering.set(false);
        self.arriving_since.set(None);
        if self.unread.get() {
            self.draining_since.set(Some(Instant::now()));
        } else if self.begins_another.get() && !self.has_body.get() {
            self.begun_since.set(Some(Instant::now()));
        }
    }
}

/// A connection with its limits.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    busy: Busy,
    arrival: Limit,
    begun: Limit,
    draining: Limit,
    absorption: Limit,
    /// Since when the client has read nothing.
    written_since: Option<Instant>,
}

/// How long something may take.
#[derive(Debug)]
struct Limit {
    within: Duration,
    /// Made when the connection first has to wait, which a usual request never does.
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
}

impl Limit {
    fn new(within: Duration) -> Self {
        Self { within, timer: RefCell::default() }
    }

    /// Whether the time is over. If not, the task is woken then.
    fn is_over(&self, since: Option<Instant>, context: &mut Context<'_>) -> bool {
        let Some(since) = since else { return false };
        let end = since + self.within;
        let mut timer = self.timer.borrow_mut();
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        timer.as_mut().poll(context).is_ready()
    }
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            busy: Busy::default(),
            arrival: Limit::new(ARRIVAL),
            begun: Limit::new(ARRIVAL),
            draining: Limit::new(DRAINING),
            absorption: Limit::new(ABSORPTION),
            written_since: None,
        }
    }

    pub fn busy(&self) -> Busy {
        self.busy.clone()
    }

    fn has_written(&mut self, written: &Poll<io::Result<usize>>, context: &mut Context<'_>) -> io::Result<()> {
        match written {
            Poll::Ready(_) => {
                self.busy.arriving_since.set(None);
                self.written_since = None;
                // The framework may have read for the last time before the answer was there. Without this,
                // nothing would wake the connection when the time for the rest of the body, or for the next
                // head, is over. Then the next read ends the connection.
                let _is_over = self.draining.is_over(self.busy.draining_since.get(), context)
                    || self.begun.is_over(self.busy.begun_since.get(), context);
            }
            Poll::Pending => {
                let since = *self.written_since.get_or_insert_with(Instant::now);
                if self.absorption.is_over(Some(since), context) {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read"));
                }
            }
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Busy { answering, arriving_since, draining_since, begins_another, begun_since, .. } = &this.busy;
        let late =
            this.arrival.is_over(arriving_since.get(), context) || this.begun.is_over(begun_since.get(), context);
        if late || this.draining.is_over(draining_since.get(), context) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the request did not arrive in time")));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            begins_another.set(!buffer.filled().ends_with(END_OF_HEAD));
        }
        if buffer.filled().len() > before && !answering.get() && arriving_since.get().is_none() {
            arriving_since.set(Some(Instant::now()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.has_written(&written, context)?;
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.has_written(&written, context)?;
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
