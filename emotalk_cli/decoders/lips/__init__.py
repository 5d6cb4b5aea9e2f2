"""What the mouth must do whatever is decoded: close, round, rest."""
