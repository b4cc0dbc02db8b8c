//! Circles among steps, found without recursion: chains of 100,000 steps are ordinary.

/// One circle of the graph in which `before[i]` lists what comes before `i`, in the order of flow; none when there is none.
pub(crate) fn cycle(before: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); before.len()];
    let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
    for (step, predecessors) in before.iter().enumerate() {
        for predecessor in predecessors {
            after[*predecessor].push(step);
        }
    }
    let mut ready: Vec<usize> = (0..before.len()).filter(|step| waiting[*step] == 0).collect();
    let mut done = 0;
    while let Some(step) = ready.pop() {
        done += 1;
        for next in &after[step] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    if done == before.len() {
        return None;
    }
    // Whoever still waits has a predecessor that still waits: walking back must come round.
    let mut seen = vec![usize::MAX; before.len()];
    let mut walk = Vec::new();
    let mut at = waiting.iter().position(|count| *count > 0)?;
    while seen[at] == usize::MAX {
        seen[at] = walk.len();
        walk.push(at);
        at = *before[at].iter().find(|predecessor| waiting[**predecessor] > 0)?;
    }
    let mut circle = walk.split_off(seen[at]);
    circle.reverse();
    Some(circle)
}

/// `a → b → a`.
pub(crate) fn drawn<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN_MAX: usize = 12;
    let names: Vec<&str> = names.collect();
    let mut text = names
        .iter()
        .take(SHOWN_MAX)
        .copied()
        .collect::<Vec<_>>()
        .join(" → ");
    if names.len() > SHOWN_MAX {
        text += " → …";
        text = format!("{text} ({} more)", names.len() - SHOWN_MAX);
    }
    format!("{text} → {}", names.first().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_in_the_order_of_flow() {
        // 0 → 1 → 2 → 1, and 3 behind the circle.
        let before = vec![vec![], vec![0, 2], vec![1], vec![2]];
        let mut circle = cycle(&before).unwrap();
        let least = circle
            .iter()
            .enumerate()
            .min_by_key(|(_, step)| **step)
            .unwrap()
            .0;
        circle.rotate_left(least);
        assert_eq!(circle, [1, 2]);
        assert_eq!(cycle(&[vec![0]]), Some(vec![0]), "a step that waits for itself");
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_no_circle() {
        let before: Vec<Vec<usize>> = (0..100_000_usize)
            .map(|i| i.checked_sub(1).into_iter().collect())
            .collect();
        assert_eq!(cycle(&before), None);
        let mut closed = before;
        closed[0].push(99_999);
        assert_eq!(cycle(&closed).unwrap().len(), 100_000);
    }

    #[test]
    fn long_circles_are_drawn_short() {
        assert_eq!(drawn(["a", "b"].into_iter()), "a → b → a");
        let names: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        assert!(drawn(names.iter().map(String::as_str)).contains("… (8 more) → 0"));
    }
}
