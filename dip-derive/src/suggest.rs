//! "Did you mean …?"

use std::fmt::Write as _;

/// What to say after "there is no `word`": the one of `known` that was meant, or all of them.
pub(crate) fn instead(word: &str, known: &[&str]) -> String {
    match closest(word, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there is {}", listed(known)),
    }
}

fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    // A third of the letters may be wrong; a shorter word is meant only by its own letters.
    let budget = (word.chars().count() / 3).clamp(1, 3);
    let distances = known.iter().map(|known| (distance(&word, known), *known));
    distances.filter(|(distance, _)| *distance <= budget).min().map(|(_, known)| known)
}

fn listed(words: &[&str]) -> String {
    let mut list = String::new();
    for (index, word) in words.iter().enumerate() {
        let separator = match index {
            0 => "",
            _ if index + 1 == words.len() => " and ",
            _ => ", ",
        };
        // Writing to a `String` never fails.
        _ = write!(list, "{separator}`{word}`");
    }
    list
}

/// How many letters to insert, remove, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let edited = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { edited.min(rows[i - 2][j - 2] + 1) } else { edited }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_is_recognised() {
        assert_eq!(instead("jsno", &["bincode", "json"]), "did you mean `json`?");
        assert_eq!(instead("repyl", &["reply", "reply_codec"]), "did you mean `reply`?");
        assert_eq!(instead("JSON", &["bincode", "json"]), "did you mean `json`?");
    }

    #[test]
    fn another_word_gets_the_whole_list() {
        assert_eq!(instead("xml", &["a", "b", "c"]), "there is `a`, `b` and `c`");
    }
}
