"""Sixteen visitors, a nemesis, and a checker that looks at all that was answered."""
