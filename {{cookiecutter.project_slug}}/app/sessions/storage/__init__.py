"""Where sessions are kept: base.py has the contract, the other files implement it."""
