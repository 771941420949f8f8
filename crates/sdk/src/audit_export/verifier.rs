//! Verifies an export, line by line. Nothing here does I/O.

use std::num::NonZero;
use std::thread;

use hashbrown::HashSet;
use keyward_api::audit::AuditTree;
use keyward_transparency::{Checkpoint, Hash, Tree, VerifierKey};

use super::line::{Content, End, EntryId, Leaf, Line, Removal};
use super::ranges;
use super::report::{Finding, FindingKind, Report};

/// Text of fewer bytes than this is read by one thread: starting another one would take longer.
const MIN_BYTES_PER_THREAD: usize = 256 * 1024;

/// The maximum number of threads. The part that one thread must do alone keeps more of them waiting.
const MAX_THREADS: usize = 8;

/// Verifies an export of the audit log.
///
/// It finds every change of a sealed entry, and every entry that was removed or inserted: compared with the
/// checkpoint of the export, and with checkpoints that were kept. Only a kept checkpoint, or a trusted key,
/// shows that the whole log was not replaced.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<VerifierKey>,
    kept: Vec<String>,
    /// The bytes of a line whose end has not been read.
    partial: Vec<u8>,
    line: u64,
    header: Option<AuditTree>,
    end: Option<End>,
    /// The checkpoints that the leaves have not reached, the smallest last.
    targets: Vec<Target>,
    tree: Tree,
    /// The index of the next leaf.
    next: u64,
    /// Whether leaves are missing, so that no later root hash can be computed.
    has_gap: bool,
    /// The size of the largest trusted checkpoint that the leaves match so far.
    proven: u64,
    has_kept_difference: bool,
    ids: HashSet<EntryId>,
    missing: Vec<(u64, EntryId)>,
    surplus: Vec<(u64, u64)>,
    removals: Vec<(u64, Removal)>,
    unproven_removals: Vec<Removal>,
    unsealed: u64,
    report: Report,
}

/// A checkpoint that the leaves must match.
#[derive(Debug)]
struct Target {
    checkpoint: Checkpoint,
    is_trusted: bool,
    is_kept: bool,
}

impl Verifier {
    /// A verifier that trusts these keys. Without any, it trusts the keys of the export, and the report says
    /// so. `kept` are signed checkpoints from earlier; [`transparency::notes`](keyward_transparency::notes)
    /// splits a file of them.
    #[must_use]
    pub fn new(keys: Vec<VerifierKey>, kept: Vec<String>) -> Self {
        let report = Report { keys_are_of_log: keys.is_empty(), ..Report::default() };
        Self {
            keys,
            kept,
            partial: Vec::new(),
            line: 0,
            header: None,
            end: None,
            targets: Vec::new(),
            tree: Tree::default(),
            next: 0,
            has_gap: false,
            proven: 0,
            has_kept_difference: false,
            ids: HashSet::new(),
            missing: Vec::new(),
            surplus: Vec::new(),
            removals: Vec::new(),
            unproven_removals: Vec::new(),
            unsealed: 0,
            report,
        }
    }

    /// Reads the next bytes of the export. They may end anywhere. Some MiB at a time are fastest: several
    /// threads share them.
    pub fn read(&mut self, text: &[u8]) {
        let Some(last) = memchr::memrchr(b'\n', text) else {
            self.partial.extend_from_slice(text);
            return;
        };
        let (mut lines, rest) = text.split_at(last + 1);
        if !self.partial.is_empty()
            && let Some(first) = memchr::memchr(b'\n', lines)
        {
            let (end, others) = lines.split_at(first + 1);
            let mut line = std::mem::take(&mut self.partial);
            line.extend_from_slice(end);
            self.take(Line::read(&line));
            lines = others;
        }
        self.read_lines(lines);
        self.partial.extend_from_slice(rest);
    }

    /// Reads whole lines.
    fn read_lines(&mut self, text: &[u8]) {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = processors.min(MAX_THREADS).min(text.len() / MIN_BYTES_PER_THREAD).max(1);
        let mut parts = parts(text, threads);
        let own = parts.pop().unwrap_or_default();
        let read = thread::scope(|scope| {
            let others: Vec<_> = parts.iter().map(|part| scope.spawn(|| lines_of(part))).collect();
            let own = lines_of(own);
            let mut read: Vec<Vec<Line>> = others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect();
            read.push(own);
            read
        });
        for line in read.into_iter().flatten() {
            self.take(line);
        }
    }

    /// Takes in the next line.
    fn take(&mut self, line: Line) {
        self.line += 1;
        if self.end.is_some() && !matches!(line, Line::Blank) {
            self.malformed("it is after the last line");
            return;
        }
        match line {
            Line::Blank => {}
            Line::Tree(tree) if self.line == 1 => self.begin(*tree),
            Line::Tree(_) => self.malformed("only the first line may be a tree"),
            Line::Leaf(leaf) => match leaf.index {
                Some(index) => self.leaf(index, leaf),
                None => self.outside(leaf),
            },
            Line::End(end) => self.end = Some(end),
            Line::Malformed(reason) => self.malformed(&reason),
        }
    }

    fn malformed(&mut self, reason: &str) {
        let line = self.line;
        self.found(FindingKind::MalformedLine, format!("Line {line} is not a line of an export: {reason}."));
    }

    fn found(&mut self, kind: FindingKind, message: impl Into<String>) {
        self.report.add(Finding::new(kind, message));
    }

    /// Takes in the tree: opens its checkpoint and those that were kept.
    fn begin(&mut self, tree: AuditTree) {
        if self.report.keys_are_of_log {
            for text in &tree.verifier_keys {
                match text.parse() {
                    Ok(key) => self.keys.push(key),
                    Err(error) => self.report.add(Finding::new(
                        FindingKind::UntrustedCheckpoint,
                        format!("A key of the log cannot be read: {error}."),
                    )),
                }
            }
        }
        // A key signs for one log: that of its name.
        self.keys.retain(|key| key.name() == tree.origin);
        match &tree.checkpoint {
            Some(note) => self.open_own(note, &tree),
            None if tree.size > 0 => self.found(
                FindingKind::UntrustedCheckpoint,
                format!("The log says that it has {} leaves, but it has no checkpoint.", tree.size),
            ),
            None => {}
        }
        self.kept.sort_unstable();
        self.kept.dedup();
        for note in std::mem::take(&mut self.kept) {
            self.open_kept(&note, &tree);
        }
        self.targets.sort_by_key(|target| std::cmp::Reverse(target.checkpoint.size));
        self.report.origin = Some(tree.origin.clone());
        self.header = Some(tree);
        self.compare();
    }

    /// Opens the checkpoint of the export.
    fn open_own(&mut self, note: &str, tree: &AuditTree) {
        let (opened, is_trusted) = match Checkpoint::open(note, &self.keys) {
            Ok(checkpoint) => (Ok(checkpoint), true),
            Err(error) => {
                let message = format!("The checkpoint of the log cannot be trusted: {error}.");
                self.found(FindingKind::UntrustedCheckpoint, message);
                (Checkpoint::unverified(note), false)
            }
        };
        // Without a checkpoint that can be read, there is nothing to compare; the finding says so.
        let Ok(checkpoint) = opened else { return };
        if checkpoint.origin != tree.origin {
            let message =
                format!("The checkpoint is of the log \"{}\", not of \"{}\".", checkpoint.origin, tree.origin);
            self.found(FindingKind::OriginDiffers, message);
        }
        if checkpoint.size != tree.size {
            let message =
                format!("The log says that it has {} leaves, and its checkpoint {}.", tree.size, checkpoint.size);
            self.found(FindingKind::SizeDiffers, message);
        }
        self.targets.push(Target { checkpoint, is_trusted, is_kept: false });
    }

    /// Opens a kept checkpoint.
    fn open_kept(&mut self, note: &str, tree: &AuditTree) {
        let unverified = Checkpoint::unverified(note);
        if let Ok(checkpoint) = &unverified
            && checkpoint.origin != tree.origin
        {
            let (kept, origin) = (&checkpoint.origin, &tree.origin);
            let message = format!("A kept checkpoint is of the log \"{kept}\", and this is \"{origin}\".");
            self.found(FindingKind::OriginDiffers, message);
            return;
        }
        match Checkpoint::open(note, &self.keys) {
            Ok(checkpoint) => self.targets.push(Target { checkpoint, is_trusted: true, is_kept: true }),
            Err(error) => {
                let size =
                    unverified.map_or_else(|_| String::new(), |checkpoint| format!(" of size {}", checkpoint.size));
                let message = format!("The kept checkpoint{size} cannot be trusted: {error}.");
                self.found(FindingKind::UntrustedKeptCheckpoint, message);
            }
        }
    }

    /// Compares the tree with the checkpoints of its size.
    fn compare(&mut self) {
        if self.has_gap {
            return;
        }
        let size = self.tree.size();
        let mut root = None::<Hash>;
        while let Some(target) = self.targets.pop_if(|target| target.checkpoint.size == size) {
            if *root.get_or_insert_with(|| self.tree.root()) == target.checkpoint.root {
                self.report.kept_matched += u64::from(target.is_kept);
                if target.is_trusted {
                    self.proven = size;
                }
                continue;
            }
            // What differs at one size differs at every larger one.
            if target.is_kept && std::mem::replace(&mut self.has_kept_difference, true) {
                continue;
            }
            let (kind, whose) = if target.is_kept {
                (FindingKind::KeptRootDiffers, "the kept checkpoint")
            } else {
                (FindingKind::RootDiffers, "the checkpoint of the log")
            };
            let finding = match size.checked_sub(1) {
                Some(last) => {
                    let first = self.proven.min(last);
                    let which = if first == last {
                        format!("leaf {first}")
                    } else {
                        format!("one of the leaves {first} to {last}")
                    };
                    let message = format!(
                        "The leaves do not have the root hash of {whose} of size {size}: {which} was changed, removed \
                         or inserted."
                    );
                    Finding::new(kind, message).leaves(first, last)
                }
                None => Finding::new(kind, format!("The root hash of {whose} of size 0 is not that of no leaves.")),
            };
            self.report.add(finding);
        }
    }

    /// Takes in a leaf.
    fn leaf(&mut self, index: u64, leaf: Leaf) {
        self.report.leaves += 1;
        if index < self.next {
            let message = format!("Leaf {index} (entry {}) comes twice or out of order.", leaf.id);
            self.report.add(Finding::new(FindingKind::LeafOutOfPlace, message).leaves(index, index).entry(&leaf.id));
            return;
        }
        if index > self.next {
            self.leaves_are_missing(self.next, index - 1);
        }
        self.next = index.saturating_add(1);
        if index >= self.size() {
            self.surplus.push((index, index));
        }
        match leaf.hash {
            Some(hash) if !self.has_gap => {
                self.tree.push(hash);
                self.compare();
            }
            Some(_) => {}
            None => {
                self.has_gap = true;
                let message = format!("Leaf {index} (entry {}) has no hash.", leaf.id);
                self.report.add(Finding::new(FindingKind::HashMissing, message).leaves(index, index).entry(&leaf.id));
            }
        }
        let id = &leaf.id;
        let finding = match leaf.content {
            Content::Intact => {
                self.removals.extend(leaf.removal.map(|removal| (index, removal)));
                None
            }
            Content::Missing => {
                self.missing.push((index, id.clone()));
                None
            }
            Content::Changed => Some((
                FindingKind::EntryChanged,
                format!("Entry {index} ({id}) was changed: it does not have the hash of its leaf."),
            )),
            Content::Unreadable(reason) => {
                Some((FindingKind::EntryUnreadable, format!("Entry {index} ({id}) cannot be read: {reason}.")))
            }
            Content::OtherId(other) => {
                Some((FindingKind::IdDiffers, format!("Entry {index} has the id {other}, and its leaf {id}.")))
            }
        };
        if let Some((kind, message)) = finding {
            self.report.add(Finding::new(kind, message).leaves(index, index).entry(id));
        }
        self.once(leaf.id);
    }

    fn leaves_are_missing(&mut self, first: u64, last: u64) {
        self.has_gap = true;
        let message = format!("{} missing from the tree.", leaves_are(first, last));
        self.report.add(Finding::new(FindingKind::LeavesMissing, message).leaves(first, last));
    }

    /// Takes in an entry that is not in the tree.
    fn outside(&mut self, leaf: Leaf) {
        self.unsealed += 1;
        let id = &leaf.id;
        if leaf.is_waiting != Some(true) {
            let message =
                format!("Entry {id} was inserted by hand: it is not in the tree and does not wait to be sealed.");
            self.report.add(Finding::new(FindingKind::EntryInserted, message).entry(id));
            self.once(leaf.id);
            return;
        }
        let finding = match leaf.content {
            Content::Missing => Some((
                FindingKind::WaitingEntryMissing,
                format!("Entry {id} waits to be sealed, but it is missing from the log."),
            )),
            Content::Unreadable(reason) => Some((
                FindingKind::EntryUnreadable,
                format!("Entry {id}, which is not sealed yet, cannot be read: {reason}."),
            )),
            Content::OtherId(other) => Some((
                FindingKind::IdDiffers,
                format!("Entry {id}, which is not sealed yet, has the id {other} in its text."),
            )),
            Content::Changed => {
                Some((FindingKind::EntryChanged, format!("Entry {id}, which is not sealed yet, was changed.")))
            }
            Content::Intact => {
                self.report.unsealed += 1;
                self.unproven_removals.extend(leaf.removal);
                None
            }
        };
        if let Some((kind, message)) = finding {
            self.report.add(Finding::new(kind, message).entry(id));
        }
        self.once(leaf.id);
    }

    /// Takes in an id, which must be new.
    fn once(&mut self, id: EntryId) {
        if let Some(id) = self.ids.replace(id) {
            let message = format!("The id {id} belongs to two entries.");
            self.report.add(Finding::new(FindingKind::IdReused, message).entry(id));
        }
    }

    /// The size of the tree, as its checkpoint and its own words have it.
    fn size(&self) -> u64 {
        self.header.as_ref().map_or(0, |tree| tree.size)
    }

    /// The result, after the last bytes were read.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let partial = std::mem::take(&mut self.partial);
        if !partial.is_empty() {
            self.take(Line::read(&partial));
        }
        if self.header.is_none() {
            self.found(FindingKind::MalformedLine, "The first line does not have the tree of an export.");
        } else if self.next < self.size() {
            self.leaves_are_missing(self.next, self.size() - 1);
        }
        self.surplus();
        self.shortened();
        self.entries_are_missing();
        self.removals_differ();
        self.cut_off();
        self.report.proven_size = Some(self.proven).filter(|size| *size > 0);
        self.report
    }

    /// Names the leaves for which the checkpoint does not vouch.
    fn surplus(&mut self) {
        for (first, last) in ranges::merged(std::mem::take(&mut self.surplus)) {
            let message = format!("{} not among the {} leaves of the tree.", leaves_are(first, last), self.size());
            self.report.add(Finding::new(FindingKind::LeavesSurplus, message).leaves(first, last));
        }
    }

    /// Names what a kept checkpoint has and the log does not.
    fn shortened(&mut self) {
        let size = self.size();
        let largest = self.targets.iter().filter(|target| target.is_kept).map(|target| target.checkpoint.size).max();
        if self.header.is_some()
            && let Some(kept) = largest.filter(|kept| *kept > size)
        {
            let message = format!(
                "A kept checkpoint has {kept} entries, and the log has {size}: {} missing. The log was cut, or an older \
                 copy has replaced the database.",
                entries_are(size, kept - 1)
            );
            self.report.add(Finding::new(FindingKind::Shortened, message).leaves(size, kept - 1));
        }
    }

    /// Names the entries that are missing although retention has not removed them.
    fn entries_are_missing(&mut self) {
        let missing = ranges::merged(self.missing.iter().map(|(index, _)| (*index, *index)).collect());
        // Retention removes only what was sealed before.
        let removed = |removal: &Removal, before: u64| -> Vec<(u64, u64)> {
            let last = before.checked_sub(1);
            last.map_or_else(Vec::new, |end| {
                removal.leaves.iter().map(|(first, last)| (*first, (*last).min(end))).collect()
            })
        };
        let proven =
            ranges::merged(self.removals.iter().flat_map(|(index, removal)| removed(removal, *index)).collect());
        let unproven = ranges::merged(self.unproven_removals.iter().flat_map(|it| removed(it, u64::MAX)).collect());
        let uncovered = ranges::without(&missing, &proven);
        let without_record = ranges::without(&uncovered, &unproven);
        self.report.retired = ranges::count(&missing) - ranges::count(&uncovered);
        for (first, last) in ranges::without(&uncovered, &without_record) {
            let message = format!(
                "A record of retention that is not sealed yet says why {} missing. Verify again in a few seconds.",
                entries_are(first, last)
            );
            self.report.add(Finding::new(FindingKind::RemovalUnproven, message).leaves(first, last));
        }
        for (first, last) in without_record {
            let id = self.missing.binary_search_by_key(&first, |(index, _)| *index).ok();
            let id = id.and_then(|at| self.missing.get(at)).filter(|_| first == last).map(|(_, id)| id);
            let finding = match id {
                Some(id) => Finding::new(
                    FindingKind::EntriesMissing,
                    format!("Entry {first} ({id}) is missing, and retention did not remove it."),
                )
                .entry(id),
                None => Finding::new(
                    FindingKind::EntriesMissing,
                    format!("Entries {first} to {last} are missing, and retention did not remove them."),
                ),
            };
            self.report.add(finding.leaves(first, last));
        }
    }

    /// Compares each record of retention with the one before it: the leaves that it adds are those whose entries
    /// it has removed. Someone who removes entries by hand may add their leaves to the list from which the
    /// server makes the next record.
    fn removals_differ(&mut self) {
        let mut before = None::<u64>;
        for (index, removal) in &self.removals {
            let total = ranges::count(&ranges::merged(removal.leaves.clone()));
            let added = before.map(|before| total.saturating_sub(before));
            if let Some(added) = added.filter(|added| *added > removal.count) {
                let message = format!(
                    "The record of retention in entry {index} has {added} leaves more than the one before it, but \
                     says that {} entries were removed: others were removed by hand.",
                    removal.count
                );
                self.report.add(Finding::new(FindingKind::RemovalDiffers, message).leaves(*index, *index));
            }
            before = Some(total);
        }
    }

    /// Compares the last line with what came before it.
    fn cut_off(&mut self) {
        let seen = (self.report.leaves, self.unsealed);
        match self.end {
            None => self.found(FindingKind::CutOff, "The export has no last line: it was cut off."),
            Some(end) if (end.leaves, end.unsealed) != seen => {
                let message = format!(
                    "The last line of the export says that it has {} leaves and {} other entries, but it has {} and \
                     {}: lines were removed or inserted.",
                    end.leaves, end.unsealed, seen.0, seen.1
                );
                self.found(FindingKind::CutOff, message);
            }
            Some(end) => self.report.unsealed_is_cut = end.is_cut,
        }
    }
}

/// The leaves of a range, with the verb.
fn leaves_are(first: u64, last: u64) -> String {
    if first == last { format!("Leaf {first} is") } else { format!("Leaves {first} to {last} are") }
}

/// The entries of a range, with the verb.
fn entries_are(first: u64, last: u64) -> String {
    if first == last { format!("entry {first} is") } else { format!("entries {first} to {last} are") }
}

/// Splits whole lines into about equal parts, at most `count`.
fn parts(text: &[u8], count: usize) -> Vec<&[u8]> {
    let mut parts = Vec::with_capacity(count);
    let mut rest = text;
    for left in (2..=count).rev() {
        let (head, tail) = rest.split_at(rest.len() / left);
        let Some(end) = memchr::memchr(b'\n', tail) else { break };
        let (part, others) = rest.split_at(head.len() + end + 1);
        parts.push(part);
        rest = others;
    }
    parts.push(rest);
    parts
}

fn lines_of(mut text: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    while !text.is_empty() {
        let end = memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1);
        let (line, rest) = text.split_at(end);
        lines.push(Line::read(line));
        text = rest;
    }
    lines
}
