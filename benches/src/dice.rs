//! Random numbers that are the same everywhere: SplitMix64 (Steele, Lea, Flood 2014).
//!
//! Comes in: a seed. Goes out: numbers, choices, shuffles. Figures are compared over years, so that a library's change of
//! algorithm must not change the work; it is never used where chance must be hard to guess.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of a seed; `salt` gives independent streams of the same seed.
    pub fn new(seed: u64, salt: u64) -> Self {
        let mut dice = Self(seed ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `sides`; 0 if there is none.
    pub fn below(&mut self, sides: usize) -> usize {
        let wide = u128::from(self.next()).wrapping_mul(sides as u128) >> 64;
        usize::try_from(wide).unwrap_or_default()
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
        let bits = (self.next() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// True that often.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items; none if there are none.
    pub fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.below(items.len()))
    }

    /// One of some words; nothing if there are none.
    pub fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        self.pick(words).copied().unwrap_or_default()
    }

    /// Another order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at.saturating_add(1)));
        }
    }

    /// A place, as often as its weight says.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return at;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// A rank from 1 to `ranks` whose logarithm is uniform, as names on a bus are: few are seen all the time, most hardly ever.
    pub fn rank(&mut self, ranks: usize) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "pools are small")]
        let all = ranks.saturating_add(1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `ranks`")]
        let rank = all.powf(self.unit()) as usize;
        rank.clamp(1, ranks.max(1))
    }
}

/// How likely [`Dice::rank`] gives one that is at most `rank`.
#[expect(clippy::cast_precision_loss, reason = "pools are small")]
pub fn rank_share(rank: usize, ranks: usize) -> f64 {
    (rank as f64 + 1.0).ln() / (ranks as f64 + 1.0).ln()
}
