use super::*;
use std::string::ToString;
use std::vec;

fn classic(input: &[u8]) -> Reader<'_> {
    Reader::new(input, false)
}

fn flexible(input: &[u8]) -> Reader<'_> {
    Reader::new(input, true)
}

#[test]
fn integers_are_big_endian() {
    let mut r = classic(&[
        0xff, 1, 2, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 1, 0, 7,
    ]);
    assert_eq!(r.i8("a"), Ok(-1));
    assert_eq!(r.i16("b"), Ok(0x102));
    assert_eq!(r.i32("c"), Ok(-2));
    assert_eq!(r.i64("d"), Ok(256));
    assert_eq!(r.bool("e"), Ok(true));
    assert_eq!(r.finish(), Ok(()));
    assert_eq!(
        r.i16("f"),
        Err(DecodeError::Truncated {
            field: "f",
            offset: 16
        })
    );
}

#[test]
fn strings_are_null_empty_or_text() {
    let mut r = classic(&[0xff, 0xff, 0, 0, 0, 2, b'h', b'i', 0xff, 0xff]);
    assert_eq!(r.nullable_string("a"), Ok(None));
    assert_eq!(r.nullable_string("b"), Ok(Some("")));
    assert_eq!(r.string("c"), Ok("hi"));
    assert_eq!(
        r.string("d"),
        Err(DecodeError::UnexpectedNull {
            field: "d",
            offset: 8
        })
    );

    let mut r = flexible(&[0, 1, 3, b'h', b'i', 0]);
    assert_eq!(r.nullable_string("a"), Ok(None));
    assert_eq!(r.nullable_string("b"), Ok(Some("")));
    assert_eq!(r.string("c"), Ok("hi"));
    assert_eq!(
        r.string("d"),
        Err(DecodeError::UnexpectedNull {
            field: "d",
            offset: 5
        })
    );
}

#[test]
fn bytes_are_null_empty_or_there() {
    let mut r = classic(&[
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 9, 0xff, 0xff, 0xff, 0xff,
    ]);
    assert_eq!(r.nullable_bytes("a"), Ok(None));
    assert_eq!(r.bytes("b"), Ok(&[9][..]));
    assert_eq!(
        r.bytes("c"),
        Err(DecodeError::UnexpectedNull {
            field: "c",
            offset: 9
        })
    );
    assert_eq!(flexible(&[3, 1, 2]).bytes("d"), Ok(&[1, 2][..]));
}

#[test]
fn a_string_must_be_utf8_and_have_a_possible_length() {
    assert_eq!(
        classic(&[0, 1, 0xff]).string("a"),
        Err(DecodeError::InvalidUtf8 {
            field: "a",
            offset: 2
        })
    );
    assert_eq!(
        classic(&[0xff, 0xfe]).string("a"),
        Err(DecodeError::NegativeLength {
            field: "a",
            offset: 0,
            length: -2
        })
    );
    assert_eq!(
        flexible(&[0xff, 0xff, 0xff, 0xff, 0x0f]).string("a"),
        Err(DecodeError::Truncated {
            field: "a",
            offset: 5
        })
    );
}

#[test]
fn varints_have_no_bit_too_many() {
    assert_eq!(
        flexible(&[0xff, 0xff, 0xff, 0xff, 0x0f]).uvarint("a"),
        Ok(u32::MAX)
    );
    for input in [
        [0xff, 0xff, 0xff, 0xff, 0x1f],
        [0xff, 0xff, 0xff, 0xff, 0x8f],
    ] {
        assert_eq!(
            flexible(&input).uvarint("a"),
            Err(DecodeError::VarintTooLong {
                field: "a",
                offset: 0
            })
        );
    }
    let mut longest = [0xff; 10];
    longest[9] = 1;
    assert_eq!(classic(&longest).varlong("a"), Ok(i64::MIN));
    longest[9] = 2;
    assert_eq!(
        classic(&longest).varlong("a"),
        Err(DecodeError::VarintTooLong {
            field: "a",
            offset: 0
        })
    );
    assert_eq!(
        classic(&[0x80, 0x80]).varint("a"),
        Err(DecodeError::Truncated {
            field: "a",
            offset: 2
        })
    );
}

#[test]
fn an_array_longer_than_its_bytes_is_refused_before_memory_is_taken() {
    let never =
        |_: &mut Reader<'_>| -> Result<[u8; 64], DecodeError> { panic!("no element may be read") };
    let length = i32::MAX as usize;
    let error = Err(DecodeError::ArrayTooLong {
        field: "a",
        offset: 0,
        length,
        limit: 0,
    });
    assert_eq!(
        classic(&[0x7f, 0xff, 0xff, 0xff, 0]).array("a", 4, never),
        error
    );
    assert_eq!(
        flexible(&[0x80, 0x80, 0x80, 0x80, 8, 0]).array("a", 4, never),
        error
    );
    assert_eq!(
        classic(&[0x80, 0, 0, 0]).array("a", 4, never),
        Err(DecodeError::NegativeLength {
            field: "a",
            offset: 0,
            length: i32::MIN
        })
    );
    assert_eq!(
        classic(&[0xff; 4]).array("a", 4, never),
        Err(DecodeError::UnexpectedNull {
            field: "a",
            offset: 0
        })
    );
    assert_eq!(
        classic(&[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]).skip_array("a", 4),
        Err(DecodeError::ArrayTooLong {
            field: "a",
            offset: 0,
            length: 2,
            limit: 1
        })
    );
}

#[test]
fn arrays_are_null_or_read_element_by_element() {
    assert_eq!(classic(&[0xff; 4]).nullable_array_len("a", 1), Ok(None));
    assert_eq!(flexible(&[0]).nullable_array_len("a", 1), Ok(None));
    let mut r = flexible(&[3, 0, 7, 0, 8, 2, 0, 0, 0, 1]);
    assert_eq!(r.array("a", 2, |r| r.i16("element")), Ok(vec![7, 8]));
    assert_eq!(r.skip_array("b", 4), Ok(()));
    assert_eq!(r.finish(), Ok(()));
}

#[test]
fn unknown_tagged_fields_are_passed_over() {
    let mut r = flexible(&[3, 0, 2, 1, 2, 5, 1, 42, 0x80, 1, 0, 9]);
    let mut seen = None;
    r.tagged_fields(|tag, field| {
        if tag == 5 {
            seen = Some(field.i8("five")?);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, Some(42));
    assert_eq!(r.rest(), [9]);
    assert_eq!(
        classic(&[3]).skip_tagged_fields(),
        Ok(()),
        "not flexible: none there"
    );
}

#[test]
fn a_tagged_field_is_read_within_its_size() {
    let read =
        |input: &[u8]| flexible(input).tagged_fields(|_, field| field.i16("value").map(|_| ()));
    assert_eq!(read(&[1, 0, 2, 1, 2]), Ok(()));
    assert_eq!(
        read(&[1, 0, 1, 1, 2]),
        Err(DecodeError::Truncated {
            field: "value",
            offset: 3
        })
    );
    assert_eq!(
        read(&[1, 0, 3, 1, 2, 3]),
        Err(DecodeError::TrailingBytes { offset: 5, left: 1 })
    );
}

#[test]
fn an_error_names_the_field_and_the_place() {
    let error = classic(&[0]).i32("throttle_time_ms").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the input ends at byte 0, inside `throttle_time_ms`"
    );
}
