//! Tables of quantities, numbers, ranges and points.

use super::check;

#[test]
fn lengths_and_fractions() {
    check(&[
        ("5 m", "5 m=5 m"),
        ("5m", "5m=5 m"),
        ("0.5 m", "0.5 m=0.5 m"),
        (".5 m", ".5 m=0.5 m"),
        ("-0.5 m", "-0.5 m=-0.5 m"),
        ("+5 m", "+5 m=5 m"),
        ("1,000 mm", "1,000 mm=1 m"),
        ("1,234.5 mm", "1,234.5 mm=1.2345 m"),
        ("12,345,678 m", "12,345,678 m=12345678 m"),
        ("30 centimetres", "30 centimetres=0.3 m"),
        ("30 centimeter", "30 centimeter=0.3 m"),
        ("30-centimetre step", "30-centimetre=0.3 m"),
        ("a 10-second wait", "10-second=10 s"),
        ("ten-second wait", "ten-second=10 s"),
        ("half a meter", "half a meter=0.5 m"),
        ("a half meter", "a half meter=0.5 m"),
        ("half-metre", "half-metre=0.5 m"),
        ("a quarter of a metre", "a quarter of a metre=0.25 m"),
        ("three quarters of a metre", "three quarters of a metre=0.75 m"),
        ("two thirds of a metre", "two thirds of a metre=0.666667 m"),
        ("a third of a metre", "a third of a metre=0.333333 m"),
        ("quarter of an hour", "quarter of an hour=900 s"),
        ("a quarter hour", "a quarter hour=900 s"),
        ("three-quarters of an hour", "three-quarters of an hour=2700 s"),
        ("1/2 m", "1/2 m=0.5 m"),
        ("3/4 inch", "3/4 inch=0.01905 m"),
        ("2½ m", "2½ m=2.5 m"),
        ("½ m", "½ m=0.5 m"),
        ("2 ½ m", "2 ½ m=2.5 m"),
        (
            "two and three quarters inches",
            "two and three quarters inches=0.06985 m",
        ),
        ("two-and-a-half metres", "two-and-a-half metres=2.5 m"),
        ("one half inch", "one half inch=0.0127 m"),
        ("four feet", "four feet=1.2192 m"),
        ("a foot", "a foot=0.3048 m"),
        ("a yard", "a yard=0.9144 m"),
        ("an inch", "an inch=0.0254 m"),
    ]);
}

#[test]
fn durations() {
    check(&[
        ("an hour", "an hour=3600 s"),
        ("a second", "a second=1 s"),
        ("limit of seven a minute", "seven=7"),
        ("11 a minute, please", "11=11"),
        ("twice a day", "twice=x2"),
        ("wait a second", "a second=1 s"),
        ("wait a second and go", "a second=1 s"),
        ("take a second cube", "second=#2; cube=<red cube|blue cube>"),
        ("a minute", "a minute=60 s"),
        ("wait for a minute, then go", "a minute=60 s"),
        ("2 hours", "2 hours=7200 s"),
        ("2h", "2h=7200 s"),
        ("1h 5m", "1h 5m=3900 s"),
        ("1h5m30s", "1h5m30s=3930 s"),
        ("1 hour 5 minutes 30 seconds", "1 hour 5 minutes 30 seconds=3930 s"),
        ("5 days", "5 days=432000 s"),
        ("a week", "a week=604800 s"),
        ("100 ms", "100 ms=0.1 s"),
    ]);
}

#[test]
fn speeds_and_angles() {
    check(&[
        ("5 km", "5 km=5000 m"),
        ("1.8 km/h", "1.8 km/h=0.5 m/s"),
        ("10 kmh", "10 kmh=2.777778 m/s"),
        ("60 mph", "60 mph=26.8224 m/s"),
        ("20 knots", "20 knots=10.288889 m/s"),
        ("3 metres per second", "3 metres per second=3 m/s"),
        ("5 miles an hour", "5 miles an hour=2.2352 m/s"),
        ("45 degrees a second", "45 degrees a second=45 deg/s"),
        ("up 30 cm a second time", "up=up; 30 cm=0.3 m; second=#2"),
        ("3 m per s", "3 m per s=3 m/s"),
        ("3 metres/second", "3 metres/second=3 m/s"),
        ("90 degrees per second", "90 degrees per second=90 deg/s"),
        ("90°/s", "90°/s=90 deg/s"),
        ("33 rpm", "33 rpm=198 deg/s"),
        ("45 deg", "45 deg=45 deg; 45 deg=45 degC"),
        ("45°", "45°=45 deg; 45°=45 degC"),
        ("45 ° left", "45 °=45 deg; left=left"),
        ("1 rad", "1 rad=57.29578 deg"),
        ("3.14159265 radians", "3.14159265 radians=180 deg"),
        ("two turns", "two turns=720 deg"),
        ("half a turn", "half a turn=180 deg"),
        ("a quarter turn", "a quarter turn=90 deg"),
        ("a full turn", "a full turn=360 deg"),
    ]);
}

#[test]
fn temperatures() {
    check(&[
        ("21 degrees", "21 degrees=21 deg; 21 degrees=21 degC"),
        ("21 degrees celsius", "21 degrees celsius=21 degC"),
        ("21 degrees C", "21 degrees C=21 degC"),
        ("21°C", "21°C=21 degC"),
        ("21 ° C", "21 ° C=21 degC"),
        ("21 degC", "21 degC=21 degC"),
        ("21ºC", "21ºC=21 degC"),
        ("21℃", "21℃=21 degC"),
        ("70°F", "70°F=21.111111 degC"),
        ("70 degrees fahrenheit", "70 degrees fahrenheit=21.111111 degC"),
        ("-40 F", "-40 F=-40 degC"),
        ("300 K", "300 K=26.85 degC"),
        ("5k", ""),
        (
            "twenty one degrees",
            "twenty one degrees=21 deg; twenty one degrees=21 degC",
        ),
        (
            "seventy-two degrees fahrenheit",
            "seventy-two degrees fahrenheit=22.222222 degC",
        ),
        ("by 2 degrees celsius", "2 degrees celsius=2 degC"),
    ]);
}

#[test]
fn ratios() {
    check(&[
        ("30 percent", "30 percent=30 %"),
        ("30 per cent", "30 per cent=30 %"),
        ("30 pct", "30 pct=30 %"),
        ("30%", "30%=30 %"),
        ("30 %", "30 %=30 %"),
        ("100%", "100%=100 %"),
        ("-10 %", "-10 %=-10 %"),
        ("0.5%", "0.5%=0.5 %"),
        ("thirty percent", "thirty percent=30 %"),
        ("half", "half=0.5; half=50 %"),
        ("a half", "a half=0.5; a half=50 %"),
        ("set it to a third", "it=It; a third=0.333333; a third=33.3333 %"),
        ("engine to a third, then stop", "a third=0.333333; a third=33.3333 %"),
        ("take a third cube", "third=#3; cube=<red cube|blue cube>"),
        ("three quarters", "three quarters=0.75; three quarters=75 %"),
        ("3/4", "3/4=0.75; 3/4=75 %"),
        ("halfway", "halfway=50 %"),
        ("half way up", "half way=50 %; up=up"),
    ]);
}

#[test]
fn other_dimensions() {
    check(&[
        ("2 l", "2 l=2 l"),
        ("two litres", "two litres=2 l"),
        ("250 ml", "250 ml=0.25 l"),
        ("a litre and a half", "a litre and a half=1.5 l"),
        ("1 gallon", "1 gallon=3.785412 l"),
        ("a pint of water", "a pint=0.473176 l"),
        ("8 fluid ounces", "8 fluid ounces=0.236588 l"),
        ("5 kg", "5 kg=5 kg"),
        ("500 g", "500 g=0.5 kg"),
        ("2 pounds", "2 pounds=0.907185 kg"),
        ("16 oz", "16 oz=0.453592 kg"),
        ("a kilo", "a kilo=1 kg"),
        ("3 lbs", "3 lbs=1.360777 kg"),
        ("50 Hz", "50 Hz=50 Hz"),
        ("2.4 MHz", "2.4 MHz=2400000 Hz"),
        ("5 V", "5 V=5 V"),
        ("5v", "5v=5 V"),
        ("230 volts", "230 volts=230 V"),
        ("20 mA", "20 mA=0.02 A"),
        ("2 A", "2 A=2 A"),
        ("2 amps", "2 amps=2 A"),
        ("60 W", "60 W=60 W"),
        ("1.5 kW", "1.5 kW=1500 W"),
        ("500 mW", "500 mW=0.5 W"),
        ("2 MW", "2 MW=2000000 W"),
        ("1013 hPa", "1013 hPa=101300 Pa"),
        ("2 bar", "2 bar=200000 Pa"),
        ("30 psi", "30 psi=206842.718795 Pa"),
        ("300 lux", "300 lux=300 lx"),
        ("5 N", "5 N=5 N"),
        ("10 newtons", "10 newtons=10 N"),
        ("100 J", "100 J=100 J"),
        ("2 kWh", "2 kWh=7200000 J"),
        ("9.81 m/s²", "9.81 m/s²=9.81 m/s2"),
        ("9.81 m/s2", "9.81 m/s2=9.81 m/s2"),
        ("2 metres per second squared", "2 metres per second squared=2 m/s2"),
        (
            "2 metres per second per second",
            "2 metres per second per second=2 m/s2",
        ),
    ]);
}

#[test]
fn number_words() {
    check(&[
        ("zero", "zero=0"),
        ("one", "one=1"),
        ("twelve", "twelve=12"),
        ("ninety-nine", "ninety-nine=99"),
        ("one hundred", "one hundred=100"),
        ("a hundred", "a hundred=100"),
        ("two hundred and five", "two hundred and five=205"),
        ("a thousand", "a thousand=1000"),
        ("five thousand two hundred", "five thousand two hundred=5200"),
        ("one million", "one million=1000000"),
        (
            "two million three hundred thousand",
            "two million three hundred thousand=2300000",
        ),
        ("twenty hundred", "twenty hundred=2000"),
        ("one two three", "one=1; two=2; three=3"),
        ("five twenty", "five=5; twenty=20"),
        ("twenty five", "twenty five=25"),
        ("one point five", "one point five=1.5"),
        ("zero point three", "zero point three=0.3"),
        ("three point one four metres", "three point one four metres=3.14 m"),
        ("point five metres", "point five metres=0.5 m"),
        ("minus five", "minus five=-5"),
        ("negative 3.5 cm", "negative 3.5 cm=-0.035 m"),
        (
            "minus 20 degrees",
            "minus 20 degrees=-20 deg; minus 20 degrees=-20 degC",
        ),
    ]);
}

#[test]
fn counts_and_batches() {
    check(&[
        ("2 dozen", "2 dozen=24"),
        ("half a dozen", "half a dozen=6"),
        ("a dozen", "a dozen=12"),
        ("a couple of metres", "a couple of metres=2 m"),
        ("a couple metres", "a couple metres=2 m"),
        ("three times", "three times=x3"),
        ("twice", "twice=x2"),
        ("once", "once=x1"),
        ("once you are there", "there=There"),
        ("do it once and stop", "it=It; once=x1"),
        ("10 times", "10 times=x10"),
    ]);
}

#[test]
fn ranges() {
    check(&[
        ("5-10 cm", "5-10 cm=0.05 m .. 0.1 m"),
        ("5–10 cm", "5–10 cm=0.05 m .. 0.1 m"),
        ("5 - 10 cm", "5 - 10 cm=0.05 m .. 0.1 m"),
        ("5cm-10cm", "5cm-10cm=0.05 m .. 0.1 m"),
        ("5-10", "5-10=5 .. 10"),
        ("between 5 and 10 cm", "5 and 10 cm=0.05 m .. 0.1 m"),
        ("between 5 cm and 10 cm", "5 cm and 10 cm=0.05 m .. 0.1 m"),
        ("between five and ten seconds", "five and ten seconds=5 s .. 10 s"),
        ("from 5 to 10 cm", "5=0.05 m; 10 cm=0.1 m"),
        ("from 5 cm to 10 cm", "5 cm=0.05 m; 10 cm=0.1 m"),
        ("lamp 5 to 10 percent", "5=5; 10 percent=10 %"),
    ]);
}

#[test]
fn what_is_no_number_of_ours() {
    check(&[
        ("1,5 m", ""),
        ("1,50 m", ""),
        ("1.2.3", ""),
        ("10:30", ""),
        ("2026-11-21", ""),
        ("1/2/3", ""),
        ("5m2", ""),
        ("5 m²", ""),
        ("5 m^2", ""),
        ("5 litres per minute", ""),
        ("5 metres per step", "5 metres=5 m"),
        ("2nd", "2nd=#2"),
        ("3D", ""),
        ("5x", ""),
        ("5parsecs", ""),
        ("5 parsecs", "5=5"),
        ("v1.2", ""),
        ("#5", "5=5"),
        ("$5", "5=5"),
        ("1e3e3 m", ""),
        ("1E-400 m", ""),
        ("99999999999999999999 m", ""),
        (
            "9223372036854.775807 m",
            "9223372036854.775807 m=9223372036854.775807 m",
        ),
        ("9223372036855 m", ""),
        ("0.0000004 m", "0.0000004 m=0 m"),
        ("0.0000005 m", "0.0000005 m=0.000001 m"),
    ]);
}

#[test]
fn inches_and_compounds() {
    check(&[
        ("put 5 in the box", "5=5"),
        ("move 5 in", "5 in=0.127 m"),
        ("5in", "5in=0.127 m"),
        ("5 inches", "5 inches=0.127 m"),
        ("5 in left", "5 in=0.127 m; left=left"),
        ("5 in to the left", "5 in=0.127 m; left=left"),
        ("5 minutes and a half", "5 minutes and a half=330 s"),
        ("move 1 m and 20 cm", "1 m and 20 cm=1.2 m"),
        (
            "move right 1 m and 20 cm up",
            "right=right; 1 m=1 m; 20 cm=0.2 m; up=up",
        ),
        ("move 1 m left and 20 cm up", "1 m=1 m; left=left; 20 cm=0.2 m; up=up"),
        ("5 feet and 3 inches", "5 feet and 3 inches=1.6002 m"),
        ("6 ft 2 in", "6 ft 2 in=1.8796 m"),
        ("1 kg 200 g", "1 kg 200 g=1.2 kg"),
        ("5 ft 6 in", "5 ft 6 in=1.6764 m"),
        ("move 5 ft 6 in up", "5 ft 6 in=1.6764 m; up=up"),
        ("go up 5 ft 6 in and stop", "up=up; 5 ft 6 in=1.6764 m"),
        ("5' 6\"", "5' 6\"=1.6764 m"),
        ("5'6\"", "5'6\"=1.6764 m"),
        ("5\u{2032} 6\u{2033}", "5\u{2032} 6\u{2033}=1.6764 m"),
        ("5\u{2019} 6\u{201d} up", "5\u{2019} 6\u{201d}=1.6764 m; up=up"),
        ("move 12\" to the left", "12\"=0.3048 m; left=left"),
        ("move 3' up", "3'=0.9144 m; up=up"),
        ("5.5'", "5.5'=1.6764 m"),
        // Quotation marks are no units, and a mark that stands alone is none either.
        ("say \"5\"", "5=5"),
        ("say '5'", "5=5"),
        ("say \u{201c}5\u{201d}", "5=5"),
        ("say 'put 5' 6", "5=5; 6=6"),
        ("5 '", "5=5"),
        ("don't move 5'", "5'=1.524 m"),
    ]);
}

#[test]
fn powers_of_ten() {
    check(&[
        ("1e3 mm", "1e3 mm=1 m"),
        ("move 2.5e-1 m", "2.5e-1 m=0.25 m"),
        ("1E+2 cm", "1E+2 cm=1 m"),
        ("wait 1e1 s", "1e1 s=10 s"),
        (".5e1 m", ".5e1 m=5 m"),
        ("-1e-3 m", "-1e-3 m=-0.001 m"),
        ("(1e0, 2, 3)", "(1e0, 2, 3)=(1, 2, 3)"),
        // Too large for any device, or no number at all: never half of it.
        ("1e30 m", ""),
        ("1e100 m", ""),
        ("1e3x m", ""),
        ("1e m", ""),
    ]);
}

#[test]
fn points() {
    check(&[
        ("(1, 1, 1.5)", "(1, 1, 1.5)=(1, 1, 1.5)"),
        ("(1,1,1.5)", "(1,1,1.5)=(1, 1, 1.5)"),
        ("[1, 2, 3]", "[1, 2, 3]=(1, 2, 3)"),
        ("(1;2;3)", "(1;2;3)=(1, 2, 3)"),
        ("(10 cm, 20 cm, 30 cm)", "(10 cm, 20 cm, 30 cm)=(0.1, 0.2, 0.3)"),
        ("(10, 20, 30) cm", "(10, 20, 30) cm=(0.1, 0.2, 0.3)"),
        ("(10, 20, 30 mm)", "(10, 20, 30 mm)=(0.01, 0.02, 0.03)"),
        ("(-1, +2, −3)", "(-1, +2, −3)=(-1, 2, -3)"),
        ("(100,200,300) mm", "(100,200,300) mm=(0.1, 0.2, 0.3)"),
        ("(1, 2)", "1=1; 2=2"),
        ("(1, 2, 3, 4)", "1=1; 2=2; 3=3; 4=4"),
        (
            "(10 deg, 20 deg, 30 deg)",
            "10 deg=10 deg; 10 deg=10 degC; 20 deg=20 deg; 20 deg=20 degC; 30 deg=30 deg; 30 deg=30 degC",
        ),
        ("go to 1.0, 0.5, 1.5", "1.0, 0.5, 1.5=(1, 0.5, 1.5)"),
        ("go to 1,1,1.5", "1,1,1.5=(1, 1, 1.5)"),
        ("go to 1, 2, 3 m", "1, 2, 3 m=(1, 2, 3)"),
        ("go to 1 m, 2 m, 3 m", "1 m, 2 m, 3 m=(1, 2, 3)"),
        ("lamps 1, 2, 3", "lamps 1=<lamp 1>; 2=2; 3=3"),
        ("1, 2, 3, 4", "1=1; 2=2; 3=3; 4=4"),
        ("x=1 y=0.5 z=1", "x=1 y=0.5 z=1=(1, 0.5, 1)"),
        ("x = 1, y = 0.5, z = 1", "x = 1, y = 0.5, z = 1=(1, 0.5, 1)"),
        ("x: 1, y: 2, z: 3", "x: 1, y: 2, z: 3=(1, 2, 3)"),
        ("x 1 y 2 z 3", "x 1 y 2 z 3=(1, 2, 3)"),
        ("x1 y2 z3", "x1 y2 z3=(1, 2, 3)"),
        ("z=1 x=2 y=3", "z=1 x=2 y=3=(2, 3, 1)"),
        ("x=10cm y=20cm z=30cm", "x=10cm y=20cm z=30cm=(0.1, 0.2, 0.3)"),
        ("x 10 and y 20 and z 30 cm", "x 10 and y 20 and z 30 cm=(0.1, 0.2, 0.3)"),
        ("x=1 y=2", "1=1; 2=2"),
        ("x=1 x=2 z=3", "1=1; 2=2; 3=3"),
    ]);
}
