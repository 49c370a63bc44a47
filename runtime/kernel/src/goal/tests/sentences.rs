//! Tables of whole sentences: denials, corrections, content and language.

use super::super::{Item, Language, Negation, content, read};
use super::{check, lexicon, show};

/// Compares how much of each goal is denied, and where.
fn check_denials(cases: &[(&str, Negation, &[&str])]) {
    for (goal, negation, scopes) in cases {
        let found = read(goal, &lexicon());
        let denied: Vec<&str> = found.denials.iter().map(|denial| &goal[denial.scope.clone()]).collect();
        assert_eq!((found.negation, denied.as_slice()), (*negation, *scopes), "{goal:?}");
    }
}

#[test]
fn whole_denials() {
    use Negation::Whole;
    check_denials(&[
        ("do not move the arm", Whole, &["do not move the arm"]),
        ("don't move the arm", Whole, &["don't move the arm"]),
        ("Don’t move", Whole, &["Don’t move"]),
        ("dont move", Whole, &["dont move"]),
        ("never move the arm", Whole, &["never move the arm"]),
        ("please do not move", Whole, &["please do not move"]),
        ("you must not move", Whole, &["you must not move"]),
        (
            "you should never open the gripper",
            Whole,
            &["you should never open the gripper"],
        ),
        ("the arm must not move", Whole, &["the arm must not move"]),
        (
            "the gripper should never open",
            Whole,
            &["the gripper should never open"],
        ),
        (
            "i don't want you to move the arm",
            Whole,
            &["i don't want you to move the arm"],
        ),
        (
            "under no circumstances move the arm",
            Whole,
            &["no circumstances move the arm"],
        ),
        (
            "do not, under any circumstances, move the arm",
            Whole,
            &["do not, under any circumstances, move the arm"],
        ),
        (
            "do not pick up the cube and put it in bin A",
            Whole,
            &["do not pick up the cube and put it in bin A"],
        ),
        (
            "do not open or close the gripper",
            Whole,
            &["do not open or close the gripper"],
        ),
        (
            "do not open, close or turn it",
            Whole,
            &["do not open, close or turn it"],
        ),
        (
            "don't move and don't open the gripper",
            Whole,
            &["don't move and don't open the gripper"],
        ),
    ]);
}

#[test]
fn partial_denials_and_figures_of_speech() {
    use Negation::{None, Part, Whole};
    check_denials(&[
        (
            "move left but do not open the gripper",
            Part,
            &["do not open the gripper"],
        ),
        (
            "move left, but don't open the gripper",
            Part,
            &["don't open the gripper"],
        ),
        (
            "move left and do not open the gripper",
            Part,
            &["do not open the gripper"],
        ),
        (
            "move left. Do not open the gripper.",
            Part,
            &["Do not open the gripper"],
        ),
        (
            "do not open the gripper. Move left.",
            Part,
            &["do not open the gripper"],
        ),
        ("don't open the gripper, move left", Part, &["don't open the gripper"]),
        ("do not move left, move right", Part, &["do not move left"]),
        ("do not move left but right", Part, &["do not move left"]),
        (
            "move left without touching the ball",
            Part,
            &["without touching the ball"],
        ),
        (
            "move left without touching the ball and open the gripper",
            Part,
            &["without touching the ball"],
        ),
        ("without moving, open the gripper", Part, &["without moving"]),
        ("move to bin A avoiding the ball", Part, &["avoiding the ball"]),
        ("avoid the ball", Whole, &["avoid the ball"]),
        ("no moving", Whole, &["no moving"]),
        ("no more than 30 cm", Whole, &["no more than 30 cm"]),
        ("move left no more than 30 cm", Part, &["no more than 30 cm"]),
        ("move left, not right", Part, &["not right"]),
        ("not left, right", Part, &["not left"]),
        ("not the red cube", Whole, &["not the red cube"]),
        ("touch nothing", Whole, &["touch nothing"]),
        ("do nothing", Whole, &["do nothing"]),
        ("never mind", Whole, &["never mind"]),
        ("move left, never mind", Whole, &["move left, never mind"]),
        ("don't forget to open the gripper", None, &[]),
        ("don't hesitate to move", None, &[]),
        ("why don't you move left", None, &[]),
        ("why not move left", None, &[]),
        ("not only move left but also right", None, &[]),
        ("make sure not to open the gripper", Whole, &["not to open the gripper"]),
        ("be careful not to drop it", Whole, &["be careful not to drop it"]),
        ("pick it up, do not drop it", Part, &["do not drop it"]),
        ("move right instead of left", Part, &["instead of left"]),
        (
            "pick the red cube rather than the blue cube",
            Part,
            &["rather than the blue cube"],
        ),
        ("cannot move", Whole, &["cannot move"]),
        ("can't you move left", Whole, &["can't you move left"]),
        ("if it is not red, move left", Part, &["if it is not red"]),
        ("stop, do not move", Part, &["do not move"]),
        ("do not stop", Whole, &["do not stop"]),
        ("no problem", None, &[]),
        ("no, left", None, &[]),
        ("no left", Whole, &["no left"]),
        ("no", None, &[]),
        ("move left with no load", Part, &["no load"]),
        ("put no cube in bin A", Part, &["no cube in bin A"]),
        ("hold the cube, not the ball", Part, &["not the ball"]),
    ]);
}

#[test]
fn what_is_told_of_the_world_denies_nothing() {
    use Negation::{None, Part, Whole};
    check_denials(&[
        ("move left, i cannot reach it", None, &[]),
        ("i can't reach the cup, move left", None, &[]),
        ("we do not need the cup any more, move left", None, &[]),
        (
            "i don't need you to move left",
            Whole,
            &["i don't need you to move left"],
        ),
        ("i can't let you move left", Whole, &["i can't let you move left"]),
        ("he has not eaten, move left", None, &[]),
        ("i am not at home, move left", None, &[]),
        ("move left because the lamp does not work", None, &[]),
        ("move left because you must not touch it", Part, &["must not touch it"]),
        ("move left so that nobody trips", None, &[]),
        (
            "move left so nothing may fall",
            Whole,
            &["move left so nothing may fall"],
        ),
        (
            "move left so that you do not hit the ball",
            Part,
            &["do not hit the ball"],
        ),
        ("so do not move left", Whole, &["so do not move left"]),
        ("there is no light, move left", None, &[]),
        ("i have no hands free, move left", None, &[]),
        ("there must be no moving", Part, &["no moving"]),
    ]);
}

#[test]
fn corrections() {
    check(&[
        ("no, left", "left=left"),
        ("no left", "left=left"),
        ("no", ""),
        ("move left no right", "~left=left; right=right"),
        ("move left, no, right", "~left=left; right=right"),
        ("move left, no right", "~left=left; right=right"),
        ("move left - no, right", "~left=left; right=right"),
        ("move left, wait, right", "~left=left; right=right"),
        ("move left, wait 5 seconds", "left=left; 5 seconds=5 s"),
        ("wait, move left", "left=left"),
        ("move left, sorry, right", "~left=left; right=right"),
        ("sorry, move left", "left=left"),
        ("move left 20 cm, I mean 30 cm", "left=left; ~20 cm=0.2 m; 30 cm=0.3 m"),
        (
            "move left 20 cm, no, right 30 cm",
            "~left=left; ~20 cm=0.2 m; right=right; 30 cm=0.3 m",
        ),
        ("move left, actually right", "~left=left; right=right"),
        ("actually, move left", "left=left"),
        (
            "pick up the red cube, no, the blue cube",
            "~red cube=<red cube>; blue cube=<blue cube>",
        ),
        (
            "pick up the red cube, I mean the blue one",
            "~red cube=<red cube>; blue one=<blue cube|big blue ball>",
        ),
        (
            "put the red cube in bin A, no, the blue cube",
            "~red cube=<red cube>; bin A=<bin A>; blue cube=<blue cube>",
        ),
        (
            "put the red cube in bin A, no, bin B",
            "red cube=<red cube>; ~bin A=<bin A>; bin B=<bin B>",
        ),
        (
            "put it in bin A, make that bin B",
            "it=It; ~bin A=<bin A>; bin B=<bin B>",
        ),
        (
            "dim the light to 30 percent, or rather 40 percent",
            "light=<kitchen light>; ~30 percent=30 %; 40 percent=40 %",
        ),
        ("move up, scratch that, move down", "~up=up; ~that=That; down=down"),
        (
            "open the gripper. Move up, scratch that, move down",
            "gripper=<gripper>; ~up=up; ~that=That; down=down",
        ),
        ("move left, no, wait, right", "~left=left; right=right"),
        (
            "turn 90 degrees, correction, 45 degrees",
            "~90 degrees=90 deg; 45 degrees=45 deg; 45 degrees=45 degC",
        ),
        (
            "go to (1, 1, 1), no, (2, 2, 2)",
            "~(1, 1, 1)=(1, 1, 1); (2, 2, 2)=(2, 2, 2)",
        ),
        (
            "move left 20 cm then right 30 cm",
            "left=left; 20 cm=0.2 m; right=right; 30 cm=0.3 m",
        ),
    ]);
}

#[test]
fn languages() {
    let other = [
        "bewege den Arm nach links",
        "bitte öffne den Greifer",
        "ouvre la pince",
        "mets le cube rouge dans la boîte",
        "mueve el brazo a la izquierda",
        "muovi il braccio a sinistra",
        "mova o braço para a esquerda",
        "beweeg de arm naar links",
        "двигай рукой влево",
        "移动机械臂",
        "腕を左に動かして",
        "öffne",
    ];
    let english = [
        "move the Müller lamp",
        "gripper open",
        "die",
        "move the arm nach links",
        "",
        "12 34",
        "move to the den",
    ];
    let language = |goal: &&str| read(goal, &lexicon()).language;
    for goal in other {
        assert_eq!(language(&goal), Language::Other, "{goal:?}");
    }
    for goal in english {
        assert_eq!(language(&goal), Language::English, "{goal:?}");
    }
}

/// The content of `goal`, spans in brackets.
fn shown(goal: &str) -> String {
    let goal = read(goal, &lexicon());
    let item = |item: &Item| match item {
        Item::Word { normal, .. } => normal.clone(),
        Item::Span { readings } => {
            let readings: Vec<String> = readings.iter().map(|index| show(&goal.spans[*index].meaning)).collect();
            format!("[{}]", readings.join(" or "))
        }
    };
    content(&goal).iter().map(item).collect::<Vec<_>>().join(" ")
}

#[test]
fn contents() {
    for (goal, expected) in [
        (
            "could you please move the arm 30 cm to the left",
            "move arm [0.3 m] to [left]",
        ),
        ("can you pick up the cube for me", "pick up [<red cube|blue cube>]"),
        ("would you kindly open the gripper now", "open [<gripper>]"),
        ("I'd like you to go home", "go [<home>]"),
        ("hey, just open the gripper, ok?", "open [<gripper>]"),
        ("open the can", "open can"),
        ("I want you to move left", "move [left]"),
        ("go ahead and move left", "move [left]"),
        (
            "then move left and after that go home",
            "then move [left] and after that go [<home>]",
        ),
        ("it's the cube", "[It] is [<red cube|blue cube>]"),
        ("let's go home", "go [<home>]"),
        ("what's that", "what is [That]"),
        ("move left, no, right", "move [right]"),
        (
            "open the gripper. Move up, scratch that, move down",
            "open [<gripper>] move [down]",
        ),
        ("do not move the arm", "do not move arm"),
        ("turn 90 degrees", "turn [90 deg]"),
        ("heat to 90 degrees", "heat to [90 deg or 90 degC]"),
        ("go back", "go [back or Back]"),
        ("no, left", "no [left]"),
        ("move the arm, please.", "move arm"),
        ("sorry, move left", "move [left]"),
        ("\"open\" the (red) cube!", "open red [<red cube|blue cube>]"),
        ("pay $5", "pay $ [5]"),
    ] {
        assert_eq!(shown(goal), expected, "{goal:?}");
    }
}
