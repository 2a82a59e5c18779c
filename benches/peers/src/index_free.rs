//! The naive reference as a peer: a tree of the message, and each rule of its topic one by one.

use taskbot_benches::naive::Naive;
use taskbot_benches::rule::Rule;
use taskbot_benches::workload::Workload;

use crate::peer::Peer;

struct Reference<'w>(Naive<'w>);

/// Makes it.
pub fn naive(work: &Workload) -> Box<dyn Peer + '_> {
    Box::new(Reference(Naive::new(&work.topics, &work.rules)))
}

impl Peer for Reference<'_> {
    fn add(&mut self, _rule: &Rule) -> Result<(), String> {
        Ok(())
    }

    fn fired(&mut self, envelope: &[u8], out: &mut Vec<usize>) {
        out.extend(self.0.judge(0, envelope).into_iter().map(|(_, rule, _)| rule));
    }
}
