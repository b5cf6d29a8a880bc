"""Where code comes from, and how its lines map back to the user's file."""
