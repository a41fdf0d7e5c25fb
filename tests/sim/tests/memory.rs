//! How much memory a request can make a broker take. Alone in its process, whose allocator it counts with.

mod common;
#[path = "../../../fuzz/src/memory.rs"]
#[allow(unreachable_pub)] // there it is a library's
mod memory;

use std::time::Duration;

use bytes::BytesMut;
use common::*;

#[test]
fn flipped_bits_never_panic_and_never_ask_for_much_memory() {
    for request in all_requests(&cluster()) {
        for bit in 0..8 * request.len() {
            let mut flipped = BytesMut::from(&request[..]);
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut model = cluster();
            let (_, taken) = memory::peak(|| model.handle(Duration::ZERO, 1, 1, &flipped[..]));
            let most = 16 * 1024 + 100 * request.len();
            assert!(taken <= most, "{taken} bytes for {flipped:?}");
        }
    }
}
