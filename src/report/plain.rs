//! Text that stands in JSON as it is.

/// Every byte of a word the same.
const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

const HIGH: u64 = all(0x80);

/// Whether `text` is printable ASCII and needs no escape in a JSON string of ours: it holds no `"`,
/// `\` or `#`, two of which begin a command in some CI logs. What is not plain may yet need none.
///
/// Eight bytes at a time: every byte of a child's output passes here.
pub(super) fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    // Without a branch for each word, since nearly every line is plain to its end.
    let odd = words.iter().fold(0, |odd, word| odd | odd_bytes(u64::from_ne_bytes(*word)));
    odd == 0 && rest.iter().all(|byte| matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\' | b'#'))
}

/// Not 0 when one of the eight bytes is not plain.
fn odd_bytes(word: u64) -> u64 {
    // A zero byte borrows from the bit above it; "Bit Twiddling Hacks" by S. E. Anderson, "Determine if
    // a word has a byte less than n". What such a borrow says of the byte above only matters when
    // there is an odd byte anyway.
    let zero = |word: u64| word.wrapping_sub(all(1)) & !word;
    let control = word.wrapping_sub(all(0x20)) & !word;
    let quoted =
        zero(word ^ all(b'"')) | zero(word ^ all(b'\\')) | zero(word ^ all(b'#')) | zero(word ^ all(0x7f));
    (control | quoted | word) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_byte_is_seen_wherever_it_stands() {
        for length in 0..20 {
            let text = vec![b'a'; length];
            assert!(is_plain(&text));
            for at in 0..length {
                for byte in 0..=255 {
                    let mut text = text.clone();
                    text[at] = byte;
                    let plain = matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\' | b'#');
                    assert_eq!(is_plain(&text), plain, "{byte:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn every_pair_of_neighbours_is_judged_as_each_alone() {
        for one in 0..=255 {
            for other in 0..=255 {
                let text = [b' ', one, other, b'~', b' ', b'~', b' ', b'~'];
                assert_eq!(is_plain(&text), is_plain(&[one]) && is_plain(&[other]), "{one:#x} {other:#x}");
            }
        }
    }
}
