//! Tables of mentions, directions, pronouns and ordinals.

use super::check;

#[test]
fn things_by_name_and_description() {
    check(&[
        ("pick up the red cube", "red cube=<red cube>"),
        ("pick up the Red Cube", "Red Cube=<red cube>"),
        ("PICK UP THE RED CUBE!", "RED CUBE=<red cube>"),
        ("the red block", "red block=<red cube>"),
        ("the block", "block=<red cube>"),
        ("the cubes", "cubes=<red cube|blue cube>*"),
        ("all red cubes", "red cubes=<red cube>*"),
        ("red-cube", "red-cube=<red cube>"),
        ("red_cube", "red_cube=<red cube>"),
        ("coffee mug", "coffee mug=<coffee_mug>"),
        ("the mug", "mug=<coffee_mug>"),
        ("cup", "cup=<coffee_mug>"),
        ("the cups", "cups=<coffee_mug>*"),
        ("a coffee", ""),
        ("marbles", "marbles=<big blue ball>*"),
        ("the marble", "marble=<big blue ball>"),
        ("the ball", "ball=<big blue ball>"),
        ("the blue ball", "blue ball=<big blue ball>"),
        ("the big ball", "big ball=<big blue ball>"),
        ("the small ball", ""),
        ("the big one", "big one=<big blue ball>"),
        ("the blue one", "blue one=<blue cube|big blue ball>"),
        ("the red ones", "red ones=<red cube>*"),
        ("the other cube", ""),
        ("another cube", ""),
        ("the green one", ""),
        ("the red thing", "red thing=<red cube>"),
        ("the cube tray", "cube=<red cube|blue cube>"),
        ("the cube that is red", "cube that is red=<red cube>"),
        ("the cube which is blue, please", "cube which is blue=<blue cube>"),
        (
            "the ball that's big and blue",
            "ball that's big and blue=<big blue ball>",
        ),
        ("the cubes that are red", "cubes that are red=<red cube>"),
        ("the one that is red", "one that is red=<red cube>"),
        ("the cube that is green", ""),
        ("the gripper that is red", ""),
        ("the cube that is in bin A", "cube=<red cube|blue cube>; bin A=<bin A>"),
        ("the red and the blue cube", "red=<red cube>; blue cube=<blue cube>"),
        ("the red and blue cubes", "red=<red cube>; blue cubes=<blue cube>*"),
        ("the red or the blue cube", "red=<red cube>; blue cube=<blue cube>"),
        ("the red, and the blue cube", "red=<red cube>; blue cube=<blue cube>"),
        ("the green and the blue cube", "blue cube=<blue cube>"),
        ("the red and the gripper", "gripper=<gripper>"),
        (
            "turn the lamp 1 red and the blue cube left",
            "lamp 1=<lamp 1>; blue cube=<blue cube>; left=left",
        ),
        ("pick him up", "him=It"),
        ("take her to bin A", "her=It; bin A=<bin A>"),
        ("take her cube", "cube=<red cube|blue cube>"),
        (
            "take the cubes and put them there",
            "cubes=<red cube|blue cube>*; them=Them; there=There",
        ),
    ]);
}

#[test]
fn places_and_designators() {
    check(&[
        ("bin A", "bin A=<bin A>"),
        ("bin a", "bin a=<bin A>"),
        ("the bin A.", "bin A=<bin A>"),
        ("Bin B,", "Bin B=<bin B>"),
        ("bin-a", "bin-a=<bin A>"),
        ("bin_a", "bin_a=<bin A>"),
        ("bin C", ""),
        ("bin 3", "3=3"),
        ("the bins", "bins=<bin A|bin B>*"),
        ("put a bin a metre away", "bin=<bin A|bin B>; a metre=1 m"),
        ("move bin a a metre left", "bin a=<bin A>; a metre=1 m; left=left"),
        ("put in bin a red cube", "bin a=<bin A>; red cube=<red cube>"),
        ("from bin a to bin b", "bin a=<bin A>; bin b=<bin B>"),
        ("lamp 1", "lamp 1=<lamp 1>"),
        ("lamp one", "lamp one=<lamp 1>"),
        ("lamp1", "lamp1=<lamp 1>"),
        ("lamps", "lamps=<lamp 1|lamp 2>*"),
        ("lamp 3", "3=3"),
        ("lamp 1 50 %", "lamp 1=<lamp 1>; 50 %=50 %"),
        ("lamp", "lamp=<lamp 1|lamp 2>"),
        ("light 2", "light=<kitchen light>; 2=2"),
        ("kitchen light", "kitchen light=<kitchen light>"),
        ("kitchen lights", "kitchen lights=<kitchen light>*"),
        ("the light in the kitchen", "light=<kitchen light>"),
        ("top of the shelf", "top of the shelf=<top of the shelf>"),
        ("the shelf", ""),
    ]);
}

#[test]
fn shortened_and_glued_names() {
    check(&[
        ("home", "home=<home>"),
        ("go home", "home=<home>"),
        ("go to the home", "home=<home>"),
        ("cubes and balls", "cubes=<red cube|blue cube>*; balls=<big blue ball>*"),
        ("redcube", ""),
        ("cube", "cube=<red cube|blue cube>"),
        ("cubed", ""),
        ("the cube's colour", ""),
        ("the gripper's claw", "claw=<gripper>"),
    ]);
}

#[test]
fn back() {
    check(&[
        ("put it back", "it=It; back=Back"),
        ("put the cube back", "cube=<red cube|blue cube>; back=Back"),
        ("put it back where it was", "it=It; back where it was=Back"),
        ("take it back", "it=It; back=Back"),
        ("go back", "back=back; back=Back"),
        ("go back home", "back=back; back=Back; home=<home>"),
        ("move back", "back=back; back=Back"),
        ("move back 20 cm", "back=back; 20 cm=0.2 m"),
        ("move back by 20 cm", "back=back; 20 cm=0.2 m"),
        ("20 cm back", "20 cm=0.2 m; back=back"),
        ("move backwards", "backwards=back"),
        ("go back up", "back=back; back=Back; up=up"),
        ("back up 20 cm", "back up=back; 20 cm=0.2 m"),
        ("back up", "back up=back"),
        ("the back door", ""),
    ]);
}

#[test]
fn directions() {
    check(&[
        ("move to the back", "back=back"),
        ("the back of the box", ""),
        ("turn left", "left=left"),
        ("turn right", "right=right"),
        ("turn it right now", "it=It"),
        ("right, move up", "up=up"),
        ("all right, move up", "up=up"),
        ("the left gripper", "gripper=<gripper>"),
        ("move left of the cube", "left=left; cube=<red cube|blue cube>"),
        ("to the left", "left=left"),
        ("on your left", "left=left"),
        ("to the left of the cube", "left=left; cube=<red cube|blue cube>"),
        ("left side", "left=left"),
        ("leftwards", "leftwards=left"),
        ("forward", "forward=forward"),
        ("forwards 3 m", "forwards=forward; 3 m=3 m"),
        ("go ahead 2 m", "ahead=forward; 2 m=2 m"),
        ("straight ahead", "straight ahead=forward"),
        ("up", "up=up"),
        ("upwards", "upwards=up"),
        ("pick up", ""),
        ("pick it up", "it=It"),
        ("pick the cube up", "cube=<red cube|blue cube>"),
        ("lift it up", "it=It; up=up"),
        ("move up", "up=up"),
        ("go up and pick it up", "up=up; it=It"),
        ("put down", ""),
        ("put it down", "it=It"),
        ("put the cube down", "cube=<red cube|blue cube>"),
        ("move down", "down=down"),
        ("set it down", "it=It"),
        ("slow down", ""),
        ("shut down", ""),
        ("turn up the kitchen light", "up=up; kitchen light=<kitchen light>"),
        ("turn down the light", "down=down; light=<kitchen light>"),
        ("north", "north=north"),
        ("north-east", "north-east=northeast"),
        ("north east", "north east=northeast"),
        ("northeast", "northeast=northeast"),
        ("clockwise", "clockwise=clockwise"),
        ("counterclockwise", "counterclockwise=counterclockwise"),
        ("counter-clockwise", "counter-clockwise=counterclockwise"),
        ("anticlockwise", "anticlockwise=counterclockwise"),
        ("anti clockwise", "anti clockwise=counterclockwise"),
    ]);
}

#[test]
fn pronouns() {
    check(&[
        ("it", "it=It"),
        ("them", "them=Them"),
        ("that", "that=That"),
        ("this", "this=This"),
        ("these", "these=Them"),
        ("those", "those=Them"),
        ("there", "there=There"),
        ("put it there", "it=It; there=There"),
        ("there is a cube", "cube=<red cube|blue cube>"),
        ("is there a cube", "cube=<red cube|blue cube>"),
        ("that cube", "cube=<red cube|blue cube>"),
        ("this one", "this one=This"),
        ("that one", "that one=That"),
        ("those cubes", "cubes=<red cube|blue cube>*"),
        ("those ones", "those ones=Them"),
        ("make sure that the gripper is open", "gripper=<gripper>"),
        ("do that", "that=That"),
        ("do this twice", "this=This; twice=x2"),
        ("put them in bin A", "them=Them; bin A=<bin A>"),
        ("give me that", "that=That"),
        ("stay there for 5 seconds", "there=There; 5 seconds=5 s"),
        ("wait there", "there=There"),
    ]);
}

#[test]
fn ordinals_and_ones() {
    check(&[
        ("the first cube", "first=#1; cube=<red cube|blue cube>"),
        ("the second one", "second one=#2"),
        ("first move left", "left=left"),
        ("first, move left", "left=left"),
        ("the third bin", "third=#3; bin=<bin A|bin B>"),
        ("my 2nd lamp", "2nd=#2; lamp=<lamp 1|lamp 2>"),
        ("second", ""),
        ("every second", ""),
        ("every 5 seconds", "5 seconds=5 s"),
        ("take the last one", ""),
        ("one cube", "one=1; cube=<red cube|blue cube>"),
        ("two cubes", "two=2; cubes=<red cube|blue cube>*"),
        ("one", "one=1"),
        ("the one", ""),
        ("this one there", "this one=This; there=There"),
        ("one of the cubes", "cubes=<red cube|blue cube>*"),
        ("lamp one", "lamp one=<lamp 1>"),
        ("pick one up", "one=1"),
        ("move one metre", "one metre=1 m"),
        ("move left one metre", "left=left; one metre=1 m"),
        ("move one left", "one=1; left=left"),
    ]);
}
