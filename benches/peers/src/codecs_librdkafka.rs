//! What librdkafka compresses a batch with: functions that are not in its headers, but in the library. They want its
//! buffers, and a broker only for words about failures.

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};

use ottla_core::Compression;
// Links the library.
use rdkafka as _;

use crate::Compress;

type Broker = *mut c_void;
type Buffer = *mut c_void;
type Out = *mut *mut c_void;

/// `rd_slice_t`: a place in a buffer.
#[repr(C)]
struct Slice {
    buffer: *const c_void,
    segment: *const c_void,
    offset: usize,
    start: usize,
    end: usize,
}

type Free = Option<unsafe extern "C" fn(*mut c_void)>;

#[rustfmt::skip]
unsafe extern "C" {
    fn rd_buf_new(segments: usize, size: usize) -> Buffer;
    fn rd_buf_push0(to: Buffer, from: *const c_void, len: usize, free: Free, writable: u8);
    fn rd_buf_destroy_free(buffer: Buffer);
    fn rd_slice_init_full(slice: *mut Slice, buffer: Buffer);
    fn free(memory: *mut c_void);

    fn rd_kafka_gzip_compress(_: Broker, level: c_int, _: *mut Slice, _: Out, len: *mut usize) -> c_int;
    fn rd_kafka_snappy_compress_slice(_: Broker, _: *mut Slice, _: Out, len: *mut usize) -> c_int;
    fn rd_kafka_lz4_compress(_: Broker, proper: c_int, level: c_int, _: *mut Slice, _: Out, len: *mut usize) -> c_int;
    fn rd_kafka_zstd_compress(_: Broker, level: c_int, _: *mut Slice, _: Out, len: *mut usize) -> c_int;
}

pub(crate) fn codec(codec: Compression, level: i32) -> Compress {
    Box::new(move |piece, take| {
        let mut slice = Slice {
            buffer: null(),
            segment: null(),
            offset: 0,
            start: 0,
            end: 0,
        };
        let (broker, slice, mut out, mut len) = (null_mut(), &raw mut slice, null_mut(), 0);
        // SAFETY: the buffer lives until the end and does not own the piece, which is only read; the output is as long as
        // the function says, and ours. Who finds no failure does not look at the broker.
        unsafe {
            let buffer = rd_buf_new(1, 0);
            rd_buf_push0(buffer, piece.as_ptr().cast(), piece.len(), None, 0);
            rd_slice_init_full(slice, buffer);
            let (out_at, len_at) = (&raw mut out, &raw mut len);
            let failure = match codec {
                Compression::Gzip => rd_kafka_gzip_compress(broker, level, slice, out_at, len_at),
                Compression::Snappy => {
                    rd_kafka_snappy_compress_slice(broker, slice, out_at, len_at)
                }
                Compression::Lz4 => rd_kafka_lz4_compress(broker, 1, level, slice, out_at, len_at),
                Compression::Zstd => rd_kafka_zstd_compress(broker, level, slice, out_at, len_at),
                Compression::None => panic!("there is nothing to measure"),
            };
            assert_eq!(failure, 0, "there is memory");
            take(std::slice::from_raw_parts(out.cast(), len));
            free(out);
            rd_buf_destroy_free(buffer);
        }
    })
}
