//! What a verification found.

use std::fmt;

use serde::Serialize;

/// The maximum number of findings that a report lists. A log that someone has replaced has one for each entry.
const MAX_FINDINGS: usize = 10_000;

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The name of the log; absent if the export does not begin with its tree.
    pub origin: Option<String>,
    /// The size of the largest trusted checkpoint that the leaves match: the entries before it are proven,
    /// except those that a finding names. Absent if nothing is proven.
    pub proven_size: Option<u64>,
    /// The number of leaves that were read.
    pub leaves: u64,
    /// The number of entries that retention has removed. Their leaves stay.
    pub retired: u64,
    /// The number of entries that wait to be sealed, so that nothing proves them yet.
    pub unsealed: u64,
    /// Whether more entries may be unsealed than were listed.
    pub unsealed_is_cut: bool,
    /// The number of kept checkpoints that the leaves match.
    pub kept_matched: u64,
    /// Whether the keys came with the log, because no trusted ones were given. Then someone who can replace
    /// the whole log can replace them too.
    pub keys_are_of_log: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The number of further findings, which are not listed.
    pub more_findings: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The number of findings, with those that are not listed.
    #[must_use]
    pub fn finding_count(&self) -> u64 {
        u64::try_from(self.findings.len()).unwrap_or(u64::MAX).saturating_add(self.more_findings)
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

/// Something that is wrong. Its `Display` is a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The index of the first leaf in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// The index of the last leaf in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// The id of the entry in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_id: Option<String>,
    /// A sentence.
    pub message: String,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// A line is not in the format of an export.
    MalformedLine,
    /// The export has no last line, or another number of lines than its last line says.
    CutOff,
    /// The checkpoint of the log is missing, or no trusted key has signed it.
    UntrustedCheckpoint,
    /// No trusted key has signed a kept checkpoint.
    UntrustedKeptCheckpoint,
    /// A checkpoint belongs to another log.
    OriginDiffers,
    /// The size of the tree is not that of its checkpoint.
    SizeDiffers,
    /// The leaves do not have the root hash of the log's checkpoint.
    RootDiffers,
    /// The leaves do not have the root hash of a kept checkpoint.
    KeptRootDiffers,
    /// A kept checkpoint is larger than the tree: the log was cut, or an older copy has replaced it.
    Shortened,
    /// The tree lacks leaves.
    LeavesMissing,
    /// A leaf is a duplicate, or not in order.
    LeafOutOfPlace,
    /// The tree has leaves for which its checkpoint does not vouch.
    LeavesSurplus,
    /// A leaf has no hash.
    HashMissing,
    /// An entry does not have the hash of its leaf.
    EntryChanged,
    /// The row of an entry cannot be read.
    EntryUnreadable,
    /// An entry is missing, and retention has not removed it.
    EntriesMissing,
    /// An entry is missing, and the record of its removal by retention is not sealed yet.
    RemovalUnproven,
    /// A record of retention names more leaves than it removed.
    RemovalDiffers,
    /// An entry is neither in the tree nor waits to be sealed.
    EntryInserted,
    /// An entry waits to be sealed, but the log does not have it.
    WaitingEntryMissing,
    /// Two leaves or entries have the same id.
    IdReused,
    /// An entry has another id than its leaf.
    IdDiffers,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, message: impl Into<String>) -> Self {
        Self { kind, first: None, last: None, entry_id: None, message: message.into() }
    }

    pub(super) fn leaves(mut self, first: u64, last: u64) -> Self {
        (self.first, self.last) = (Some(first), Some(last));
        self
    }

    pub(super) fn entry(mut self, id: impl fmt::Display) -> Self {
        self.entry_id = Some(id.to_string());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
