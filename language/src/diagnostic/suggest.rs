//! "Did you mean": the known word nearest to one that is not known.

/// Longest list of known words that is printed whole.
const LISTED_MAX: usize = 12;
/// Most known words that are compared: large pipelines have thousands of names, hostile ones thousands of slips.
const COMPARED_MAX: usize = 2_000;

/// The known word that `word` most likely stands for, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 200 {
        return None;
    }
    let lower = word.to_lowercase();
    // Short words have too few letters for the similarity to be fair to a single slip.
    let slip = |candidate: &str| lower.len() <= 4 && strsim::damerau_levenshtein(&lower, candidate) <= 1;
    let like = |candidate: &str| strsim::jaro_winkler(&lower, &candidate.to_lowercase());
    known
        .into_iter()
        .take(COMPARED_MAX)
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 3 + word.len() / 2)
        .map(|candidate| (like(candidate), candidate))
        .filter(|(score, candidate)| *score > 0.86 || slip(candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A help text for a word that is not known: the nearest word, else the list of what there is.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    known.sort_unstable();
    known.dedup();
    match known.len() {
        0 => None,
        1..=LISTED_MAX => Some(format!("known here: {}", quoted_list(known))),
        _ => None,
    }
}

/// Words in backticks with commas between them.
pub(crate) fn quoted_list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["default_datastore", "default_compute", "force_rerun"];
        assert_eq!(nearest("default_datestore", known), Some("default_datastore"));
        assert_eq!(nearest("Force_Rerun", known), Some("force_rerun"));
        assert_eq!(nearest("banana", known), None);
    }

    #[test]
    fn without_a_near_word_the_known_ones_are_listed() {
        assert_eq!(did_you_mean("zzz", ["b", "a"]).unwrap(), "known here: `a`, `b`");
        assert_eq!(did_you_mean("zzz", []), None);
    }
}
