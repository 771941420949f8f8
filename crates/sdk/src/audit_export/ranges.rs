//! Sets of leaves, as ranges of their first and last index.

/// The ranges in order, with those that touch or overlap merged.
pub(super) fn merged(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(range) if first <= range.1.saturating_add(1) => range.1 = range.1.max(last),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged
}

/// What is in `ranges` and not in `removed`. Both are merged, and so is the result.
pub(super) fn without(ranges: &[(u64, u64)], removed: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    let mut removed = removed.iter().peekable();
    for &(first, last) in ranges {
        let mut next = Some(first);
        while let Some(hole) = removed.peek() {
            if hole.1 < first {
                removed.next();
                continue;
            }
            if hole.0 > last {
                break;
            }
            left.extend(next.filter(|next| *next < hole.0).map(|next| (next, hole.0 - 1)));
            next = hole.1.checked_add(1).filter(|next| *next <= last);
            if next.is_none() {
                break;
            }
            removed.next();
        }
        left.extend(next.map(|next| (next, last)));
    }
    left
}

/// The number of leaves.
pub(super) fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().fold(0, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_and_subtracted() {
        assert_eq!(merged(vec![(4, 5), (9, 9), (0, 3), (2, 4), (7, 6)]), [(0, 5), (9, 9)]);
        let all = [(0, 9), (20, 29)];
        for (removed, left) in [
            (vec![], vec![(0, 9), (20, 29)]),
            (vec![(0, 9)], vec![(20, 29)]),
            (vec![(3, 4), (6, 6)], vec![(0, 2), (5, 5), (7, 9), (20, 29)]),
            (vec![(5, 24)], vec![(0, 4), (25, 29)]),
            (vec![(0, 0), (9, 9), (15, 16), (29, 40)], vec![(1, 8), (20, 28)]),
            (vec![(0, u64::MAX)], vec![]),
        ] {
            assert_eq!(without(&all, &removed), left, "{removed:?}");
            assert_eq!(
                count(&left),
                20 - (0..=9).chain(20..=29).filter(|at| removed.iter().any(|(a, b)| a <= at && at <= b)).count() as u64
            );
        }
    }
}
