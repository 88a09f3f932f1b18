"""Where sessions are kept: base.py has the contract, the others keep it."""
