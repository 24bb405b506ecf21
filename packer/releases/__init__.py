"""Released engines and what goes with them: archives that spare the user all compiling."""
