"""What every answer of the app gets: settings, errors, headers, protection, logs."""
