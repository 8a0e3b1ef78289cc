//! Which of several servers to believe. Each claims an interval in which true time lies; true is what more than half of them
//! share (Marzullo's algorithm, as in RFC 5905, 11.2.1). One that lies outside is outvoted, however sure it is of itself.

/// What one server claims: the box's clock is behind true time by `centre_us`, give or take `half_us`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Claim {
    pub(crate) centre_us: f64,
    pub(crate) half_us: f64,
}

/// Places in the list of claims that share what more than half share, most certain first; empty when no more than half do.
pub(crate) fn believed(claims: &[Claim]) -> Vec<usize> {
    let mut edges: Vec<(f64, i32)> = claims
        .iter()
        .flat_map(|claim| [(claim.centre_us - claim.half_us, 1), (claim.centre_us + claim.half_us, -1)])
        .collect();
    // Where one begins at the end of another, both are there.
    edges.sort_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1)));
    let (mut within, mut most, mut shared) = (0, 0, None);
    for (place, (at_us, step)) in edges.iter().enumerate() {
        within += step;
        if within > most {
            most = within;
            // The interval that most share ends at the next edge, whichever it is.
            shared = edges.get(place + 1).map(|next| (*at_us, next.0));
        }
    }
    let Some((from_us, to_us)) = shared.filter(|_| most as usize * 2 > claims.len()) else {
        return Vec::new();
    };
    let shares = |claim: &Claim| {
        claim.centre_us - claim.half_us <= to_us && claim.centre_us + claim.half_us >= from_us
    };
    let mut places: Vec<usize> = (0..claims.len()).filter(|&place| shares(&claims[place])).collect();
    places.sort_by(|&one, &other| claims[one].half_us.total_cmp(&claims[other].half_us));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_US: f64 = 31_536_000e6;

    fn claims(claims: &[(f64, f64)]) -> Vec<Claim> {
        claims.iter().map(|&(centre_us, half_us)| Claim { centre_us, half_us }).collect()
    }

    #[test]
    fn a_liar_is_outvoted_by_two_however_sure_it_is() {
        assert_eq!(believed(&claims(&[(100.0, 5_000.0), (YEAR_US, 1.0), (-900.0, 2_000.0)])), [2, 0]);
        assert_eq!(
            believed(&claims(&[(-YEAR_US, 1.0), (0.0, 50.0), (20.0, 50.0), (YEAR_US, 1.0), (9.0, 1.0)])),
            [4, 1, 2]
        );
    }

    #[test]
    fn two_that_differ_are_no_majority() {
        assert!(believed(&claims(&[(0.0, 10.0), (21.0, 10.0)])).is_empty());
        assert_eq!(believed(&claims(&[(0.0, 10.0), (20.0, 10.0)])), [0, 1], "they touch");
        assert!(believed(&claims(&[(0.0, 9.0), (0.0, 9.0), (99.0, 9.0), (99.0, 9.0)])).is_empty());
    }

    #[test]
    fn one_alone_is_believed_and_none_is_none() {
        assert_eq!(believed(&claims(&[(YEAR_US, 1.0)])), [0]);
        assert!(believed(&[]).is_empty());
    }

    #[test]
    fn a_chain_is_shared_only_where_more_than_half_meet() {
        // The first and the third do not meet; the second meets both.
        assert_eq!(believed(&claims(&[(0.0, 10.0), (15.0, 10.0), (30.0, 10.0)])), [0, 1]);
        assert_eq!(believed(&claims(&[(0.0, 100.0), (90.0, 1.0), (-90.0, 1.0)])).len(), 2);
    }
}
