//! Numbers that are never recorded (ST-21).

/// Whether `number` is on `list`. A pattern with a trailing `*` stands for every number that begins so, and is known
/// as soon as so much has been dialled; any other only when the number is `whole`.
pub(crate) fn is_listed(list: &[String], number: &str, whole: bool) -> bool {
    list.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => number.starts_with(beginning),
        None => whole && number == pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let list = ["110".to_owned(), "0102222*".to_owned()];
        // number, whole, listed
        let table = [
            ("110", true, true),
            ("110", false, false),
            ("1102", true, false),
            ("11", true, false),
            ("0102222", false, true),
            ("01022223333", true, true),
            ("010222", false, false),
            ("", true, false),
        ];
        for (number, whole, listed) in table {
            assert_eq!(is_listed(&list, number, whole), listed, "{number}, whole: {whole}");
        }
    }
}
