//! A stream as it comes off a socket.

/// The stream in pieces of these sizes, over and over, and one of 1; a size of 0 is a read that brings nothing.
pub fn pieces<'a>(mut stream: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().map(|&size| size.into()).chain([1]).cycle() {
        if stream.is_empty() {
            break;
        }
        let (piece, rest) = stream.split_at(stream.len().min(size));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}
