//! Prints the digest of every case of the corpus, as `corpus/digests.txt` holds them; run on whatever is to be compared.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use llmos_determinism::{CORPUS, Cases, carry_out};

/// How often each case is carried out: a hundred cases, a thousand times.
const ROUNDS: u32 = 10;

fn main() {
    for case in Cases::of(CORPUS) {
        let outcome = carry_out(&case, &mut ());
        println!("{} {outcome}", case.name);
        for _ in 1..ROUNDS {
            let again = carry_out(&case, &mut ());
            if again != outcome {
                println!("{} ends differently each time: {again}", case.name);
            }
        }
    }
}
