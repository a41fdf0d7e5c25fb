"""A record as a line: "PARTITION TIMESTAMP KEY VALUE [NAME VALUE]...", where bytes are "=" and hexadecimal digits, and "-" is null."""


def written(partition, timestamp, key, value, headers):
    words = [str(partition), str(timestamp), _word(key), _word(value)]
    for name, header in headers:
        words += [_word(name.encode()), _word(header)]
    return " ".join(words)


def read(line):
    """The partition, the timestamp, the key, the value and the headers of a line."""
    partition, timestamp, *words = line.split()
    key, value, *headers = map(_bytes, words)
    names = [name.decode() for name in headers[::2]]
    return int(partition), int(timestamp), key, value, list(zip(names, headers[1::2], strict=True))


def _word(value):
    return "-" if value is None else "=" + value.hex()


def _bytes(word):
    return None if word == "-" else bytes.fromhex(word.removeprefix("="))
