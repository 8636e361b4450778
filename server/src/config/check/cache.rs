//! What the answers of all routes may take.

use super::super::file;
use super::super::read::Problems;

/// What answers may take while they are collected, unless it is said.
const COLLECTING: u64 = 32 << 20;

/// The bytes that answers may take while they are collected: room for the largest one at least, which must have room
/// among all that are kept.
pub fn collecting(bounds: &file::CacheBounds, problems: &mut Problems) -> u64 {
    let (largest, all) = (u64::from(bounds.kept.max_entry_bytes), bounds.kept.max_bytes);
    if largest > all && !problems.concern("cache.max_mib") {
        let (entry_kib, all_mib, most_kib) = (largest >> 10, all >> 20, all >> 10);
        problems.add(
            "cache.max_entry_kib",
            format!(
                "{entry_kib} is more than all answers may take: cache.max_mib is {all_mib}; allowed: 1 to {most_kib}"
            ),
        );
    }
    match bounds.collecting {
        None => COLLECTING.max(largest),
        Some(bytes) => {
            if bytes < largest {
                let (key, kib) = ("cache.max_collecting_mib", largest >> 10);
                problems.add(
                    key,
                    format!(
                        "has no room for one answer of cache.max_entry_kib, {kib} KiB; write as much at least"
                    ),
                );
            }
            bytes
        }
    }
}
