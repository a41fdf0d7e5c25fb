//! A number that stands for a record, so that many can be compared without keeping any.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A number for the content of a record, which other contents hardly share.
pub(crate) fn digest<'a>(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    value.hash(&mut hasher);
    for header in headers {
        header.hash(&mut hasher);
    }
    hasher.finish()
}

/// The digest of a record at this offset: spread over all bits, so that sums differ if two records change places.
pub(crate) fn placed(digest: u64, offset: i64) -> u64 {
    let mut mixed = digest ^ offset.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers = &'static [(&'static [u8], Option<&'static [u8]>)];

    #[test]
    fn records_that_differ_have_other_digests() {
        let headers: [Headers; 5] = [
            &[],
            &[(b"n", None)],
            &[(b"n", Some(b""))],
            &[(b"n", Some(b"v"))],
            &[(b"n", Some(b"v")), (b"n", Some(b"v"))],
        ];
        let contents: [Option<&[u8]>; 4] = [None, Some(b""), Some(b"a"), Some(b"ab")];
        let mut digests = Vec::new();
        for key in contents {
            for value in contents {
                digests.extend(headers.map(|headers| digest(key, value, headers.iter().copied())));
            }
        }
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 4 * 4 * 5);
    }

    #[test]
    fn records_that_change_places_have_another_sum() {
        let [a, b] = [b"a", b"b"].map(|value| digest(None, Some(value), std::iter::empty()));
        let sum = |first, second| placed(first, 0).wrapping_add(placed(second, 1));
        assert_ne!(sum(a, b), sum(b, a));
    }
}
