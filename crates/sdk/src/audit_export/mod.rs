//! The export of the audit log, and its verification.
//!
//! An export is JSON lines. The first line is the state of the tree, `{"tree": {…}}`. Then comes each leaf of
//! the tree in order, with its entry in canonical JSON (RFC 8785), and then each entry that is not in the tree:
//! both as [`AuditLeaf`]. The last line, `{"end": {"leaves": …, "unsealed": …}}`, has their numbers, so that
//! a file that was cut off is noticed.
//!
//! A [`Verifier`] reads the lines of an export, from a file or from a server, and finds what was changed,
//! removed or inserted:
//!
//! ```no_run
//! # async fn example(client: keyward_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use keyward_sdk::audit_export::Verifier;
//!
//! // From `keyward-server audit-key`, and a checkpoint that was kept.
//! let key = std::fs::read_to_string("audit.pub")?.trim().parse()?;
//! let kept = std::fs::read_to_string("checkpoint")?;
//! let mut verifier = Verifier::new(vec![key], vec![kept]);
//! let mut export = client.audit_export().await?;
//! while let Some(lines) = export.next_lines().await? {
//!     verifier.read(lines.as_bytes());
//! }
//! let report = verifier.finish();
//! assert!(report.is_clean(), "{:?}", report.findings);
//! # Ok(())
//! # }
//! ```

mod line;
mod ranges;
mod report;
mod verifier;

use keyward_api::audit::{AuditLeaf, AuditTree};
use keyward_transparency::canonical_json;
use serde::Serialize;

use crate::answer::Reader;
use crate::client::Client;
use crate::error::Error;
use line::{End, EndLine, TreeLine};

pub use report::{Finding, FindingKind, Report};
pub use verifier::Verifier;

/// The maximum number of leaves on a page of the server.
const PAGE: u32 = 1_000;

/// The server lists at most 1000 unsealed entries. An export reads leaves that were sealed after its checkpoint
/// until fewer than this number are new, so that the list has room for what was not sealed.
const FEW: u64 = 500;

/// An export of the audit log from a server.
#[derive(Debug)]
pub struct AuditExport {
    client: Client,
    tree: AuditTree,
    next: Part,
    end: End,
}

/// The part of an export that is read next.
#[derive(Clone, Copy, Debug)]
enum Part {
    Tree,
    /// The leaves from this index on.
    Leaves(u64),
    /// The leaves after the checkpoint: from the first index up to, and without, the second.
    Later(u64, u64),
    /// What is not among this number of leaves.
    Unsealed(u64),
    End,
    Done,
}

impl Client {
    /// Begins an export of the audit log: see [`audit_export`](crate::audit_export).
    ///
    /// # Errors
    /// [`Error::Api`] if the caller may not read the log (403).
    pub async fn audit_export(&self) -> Result<AuditExport, Error> {
        let tree = self.audit_tree().await?;
        let end = End { leaves: 0, unsealed: 0, is_cut: false };
        Ok(AuditExport { client: self.clone(), tree, next: Part::Tree, end })
    }
}

impl AuditExport {
    /// The state of the tree when the export began.
    #[must_use]
    pub fn tree(&self) -> &AuditTree {
        &self.tree
    }

    /// Reads the next lines from the server, each with its newline; `None` after the last.
    ///
    /// # Errors
    /// [`Error`] if the server cannot be read. A later call tries the same lines again.
    pub async fn next_lines(&mut self) -> Result<Option<String>, Error> {
        let mut text = String::new();
        match self.next {
            Part::Tree => {
                self.write(&mut text, &TreeLine { tree: self.tree.clone() })?;
                self.next = Part::Leaves(0);
            }
            Part::Leaves(from) => {
                let leaves = self.client.audit_leaves(from, self.tree.size, PAGE).await?.leaves;
                for leaf in &leaves {
                    self.write(&mut text, leaf)?;
                }
                self.end.leaves += count(&leaves);
                self.next = match after(from, &leaves).filter(|next| *next < self.tree.size) {
                    Some(next) => Part::Leaves(next),
                    None => Part::Later(self.tree.size, self.tree.size),
                };
            }
            Part::Later(from, to) if from < to => {
                let leaves = self.client.audit_leaves(from, to, PAGE).await?.leaves;
                for leaf in &leaves {
                    self.write(&mut text, &without_place(leaf))?;
                }
                self.end.unsealed += count(&leaves);
                self.next = match after(from, &leaves) {
                    Some(next) => Part::Later(next, to),
                    None => Part::Unsealed(to),
                };
            }
            Part::Later(from, _) => {
                let size = self.client.audit_tree().await?.size;
                let is_few = size.saturating_sub(from) < FEW;
                self.next = if is_few { Part::Unsealed(from) } else { Part::Later(from, size) };
            }
            Part::Unsealed(size) => {
                let leaves = self.client.audit_unsealed(size).await?.leaves;
                for leaf in &leaves {
                    self.write(&mut text, leaf)?;
                }
                self.end.unsealed += count(&leaves);
                self.end.is_cut = leaves.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
                self.next = Part::End;
            }
            Part::End => {
                self.write(&mut text, &EndLine { end: self.end })?;
                self.next = Part::Done;
            }
            Part::Done => return Ok(None),
        }
        Ok(Some(text))
    }

    /// Writes a line. All of it is canonical, and so is the entry in it.
    fn write(&self, text: &mut String, line: &impl Serialize) -> Result<(), Error> {
        let json = canonical_json(line).map_err(|error| {
            let reader = Reader { url: &self.client.shared.url, token: self.client.token(), secret: false };
            reader.malformed("", error.to_string())
        })?;
        text.push_str(&json);
        text.push('\n');
        Ok(())
    }
}

fn count(leaves: &[AuditLeaf]) -> u64 {
    u64::try_from(leaves.len()).unwrap_or(u64::MAX)
}

/// The index after a page that began at `from`; `None` if the page is empty.
fn after(from: u64, leaves: &[AuditLeaf]) -> Option<u64> {
    let last = leaves.last()?.index.unwrap_or(from);
    // Not less than the next one, so that an index that someone has changed ends the export too.
    Some(last.max(from).saturating_add(1))
}

/// A leaf that was sealed after the checkpoint. To the checkpoint, it is an entry that waits.
fn without_place(leaf: &AuditLeaf) -> AuditLeaf {
    AuditLeaf { index: None, hash: None, is_waiting: Some(true), ..leaf.clone() }
}
