use std::time::Instant;
fn main() {
    let t = "---\ntrace: move-the-arm-30-cm-to-5591\ngoal: \"move the arm 30 cm to the left\"\npatterns:\n  - \"move arm {distance} to {direction}\"\nslots: { distance: length, direction: \"left|right|forward|back|up|down\" }\nsteps:\n  - arm.move: { direction: \"{direction}\", distance: \"{distance}\" }\nstatus: done\nmode: LEARNER\ncreated: \"2026-11-21T03:17:20Z\"\nmanifests: { arm: \"0123456789abcdef\" }\ndigest: \"2ec9584c41bb159a\"\n---\nprose, yours to change\n";
    let s = Instant::now();
    for _ in 0..10000 { assert!(llmos_kernel::text::trace::read(t).0.is_some()); }
    println!("read 10k {:?}", s.elapsed());
    let lex = llmos_kernel::goal::Lexicon::default();
    let s = Instant::now();
    for _ in 0..10000 { std::hint::black_box(llmos_kernel::goal::read("move arm qzslotq to qzslotq and then put it back where it was", &lex)); }
    println!("goal 10k {:?}", s.elapsed());
}
