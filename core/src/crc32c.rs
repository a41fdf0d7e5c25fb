//! CRC-32C (Castagnoli), the checksum of a record batch, by tables alone.

/// A function that continues a CRC-32C: the sum so far (0 at the start) and the next bytes.
///
/// The shape is that of the crate `crc32c`'s `crc32c_append`, so that a function which uses the CPU's own instructions
/// fits as it is.
pub type Checksum = fn(u32, &[u8]) -> u32;

/// Castagnoli's polynomial with its bits reversed.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `TABLES[n][b]` is the sum of byte `b` followed by `n` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

/// Continues the CRC-32C `crc` (0 at the start) with `bytes`.
///
/// Takes eight bytes a step ("slicing by 8") with 8 KiB of tables.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    let mut crc = !crc;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in chunks {
        let [i, j, k, l] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
        crc = entry(7, i)
            ^ entry(6, j)
            ^ entry(5, k)
            ^ entry(4, l)
            ^ entry(3, e)
            ^ entry(2, f)
            ^ entry(1, g)
            ^ entry(0, h);
    }
    for &byte in rest {
        crc = entry(0, crc as u8 ^ byte) ^ (crc >> 8);
    }
    !crc
}

fn entry(table: usize, byte: u8) -> u32 {
    TABLES[table][usize::from(byte)]
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (POLYNOMIAL * (sum & 1));
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let shorter = tables[zeros - 1][byte];
            tables[zeros][byte] = (shorter >> 8) ^ tables[0][(shorter & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// The definition, bit by bit.
    fn slow(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ (POLYNOMIAL * (crc & 1))
            })
        })
    }

    fn noise(len: usize) -> Vec<u8> {
        (0..len as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect()
    }

    #[test]
    fn published_vectors() {
        let up: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc32c_append(0, b""), 0);
        assert_eq!(crc32c_append(0, b"a"), 0xC1D0_4330);
        assert_eq!(crc32c_append(0, b"123456789"), 0xE306_9283);
        // RFC 3720, B.4.
        assert_eq!(crc32c_append(0, &[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c_append(0, &[0xff; 32]), 0x62A8_AB43);
        assert_eq!(crc32c_append(0, &up), 0x46DD_794E);
        assert_eq!(crc32c_append(0, &down), 0x113F_DB5C);
    }

    #[test]
    fn every_length_agrees_with_the_definition() {
        let bytes = noise(300);
        for len in 0..bytes.len() {
            assert_eq!(
                crc32c_append(0, &bytes[..len]),
                slow(&bytes[..len]),
                "{len}"
            );
        }
    }

    #[test]
    fn cuts_do_not_matter() {
        let bytes = noise(1000);
        let whole = crc32c_append(0, &bytes);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(crc32c_append(crc32c_append(0, head), tail), whole, "{cut}");
        }
        for size in 1..40 {
            assert_eq!(bytes.chunks(size).fold(0, crc32c_append), whole, "{size}");
        }
    }
}
