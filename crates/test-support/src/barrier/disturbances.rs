//! A key that is in use everywhere is expired, while one of those who judge it is disturbed.

use std::time::{Duration, Instant};

use super::callers::{CONNECTIONS, read_judgement};
use super::round::Judged;
use super::stage::{DISTURBED, Expired, Stage};
use crate::wire::Wire;

impl Stage {
    /// Nobody is disturbed.
    pub fn expire_undisturbed(&mut self) -> Expired {
        let (key, round) = self.use_new_key();
        let mut expired = self.expire(&key);
        expired.calls = round.check(expired.read);
        self.callers.rest();
        expired
    }

    /// One verifier's process stands still from before the expire until it has been stopped so long
    /// and the expire has succeeded.
    pub fn expire_while_frozen(&mut self, at_least: Duration) -> Expired {
        let frozen = Instant::now();
        self.expire_while(
            |stage| stage.judges[DISTURBED].freeze(),
            |stage| {
                // Nothing is waited for: it is the length of the stop that is asked for.
                std::thread::sleep(at_least.saturating_sub(frozen.elapsed()));
                stage.judges[DISTURBED].thaw();
            },
        )
    }

    /// One verifier's connections to its server are reset, and new ones too until the expire has
    /// succeeded.
    pub fn expire_while_cut_off(&mut self) -> Expired {
        self.expire_while(|stage| stage.proxies[DISTURBED].refuse(), |stage| stage.proxies[DISTURBED].heal())
    }

    /// What one verifier and its server send to each other waits until the expire has succeeded.
    pub fn expire_while_swallowed(&mut self) -> Expired {
        self.expire_while(|stage| stage.proxies[DISTURBED].swallow(), |stage| stage.proxies[DISTURBED].heal())
    }

    /// One verifier's connections are reset when the expire has been sent, and it may connect again.
    pub fn expire_and_cut(&mut self) -> Expired {
        let (key, round) = self.use_new_key();
        let (mut wire, sent) = self.send_expire(&key);
        self.proxies[DISTURBED].cut();
        let mut expired = Expired::of(&wire.answer().expect("an answer"), sent);
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        expired
    }

    /// The server is killed so long after the expire was sent to it, and started again. Says
    /// whether it had succeeded before; if not, it is sent again.
    pub fn expire_and_kill(&mut self, after: Duration) -> (Expired, bool) {
        let (key, round) = self.use_new_key();
        let (mut wire, sent) = self.send_expire(&key);
        // Too short for a sleep to hit.
        while sent.elapsed() < after {
            std::hint::spin_loop();
        }
        let server = self.last_asked();
        if let Some(process) = self.servers[server].process.take() {
            process.kill();
        }
        let first = wire.answer().ok().map(|answer| Expired::of(&answer, sent));
        self.start_again(server);
        let succeeded = first.is_some();
        let mut expired = first.unwrap_or_else(|| self.expire(&key));
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        (expired, succeeded)
    }

    /// The server is killed while it holds back the success of an expire for a verifier that is
    /// frozen; the verifier goes on, and the expire is sent to the server that is started again.
    pub fn expire_and_kill_behind_the_barrier(&mut self) -> Expired {
        let (key, round) = self.use_new_key();
        self.judges[DISTURBED].freeze();
        let (mut wire, _) = self.send_expire(&key);
        let server = self.last_asked();
        // The server itself has stopped accepting it: what is left is the barrier.
        round.await_denial();
        if let Some(process) = self.servers[server].process.take() {
            process.kill();
        }
        assert!(wire.answer().is_err(), "the expire was to be held back");
        self.judges[DISTURBED].thaw();
        self.start_again(server);
        let mut expired = self.expire(&key);
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        expired
    }

    /// The server is told to stop when the expire has been sent to it, and started again. Says
    /// whether it had succeeded before; if not, it is sent again.
    pub fn expire_and_stop(&mut self) -> (Expired, bool) {
        let (key, round) = self.use_new_key();
        let (mut wire, sent) = self.send_expire(&key);
        let server = self.last_asked();
        let first = match self.servers[server].process.take() {
            Some(process) => {
                process.tell_to_stop();
                let first = wire.answer().ok().map(|answer| Expired::of(&answer, sent));
                assert!(process.ended().success(), "a stop in order");
                first
            }
            None => None,
        };
        self.start_again(server);
        let succeeded = first.is_some();
        let mut expired = first.unwrap_or_else(|| self.expire(&key));
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        (expired, succeeded)
    }

    /// Disturbs one verifier before the expire, and lets it be after. Calls are begun in between,
    /// after the success was read: those who ask it again.
    fn expire_while(&mut self, disturb: impl FnOnce(&Self), heal: impl FnOnce(&Self)) -> Expired {
        let (key, round) = self.use_new_key();
        disturb(self);
        let mut expired = self.expire(&key);
        let late = (0..CONNECTIONS).map(|_| {
            let mut wire = Wire::connect(self.judges[DISTURBED].address()).expect("a connection");
            wire.send_line(&key.secret).expect("a call");
            wire
        });
        let late: Vec<_> = late.collect();
        heal(self);
        for mut wire in late {
            let answer = wire.line().expect("an answer");
            assert_ne!(read_judgement(&answer), Judged::Accepted, "by the one that was disturbed, after the 204");
        }
        expired.calls = round.check(expired.read);
        self.callers.rest();
        self.await_leases();
        expired
    }
}
