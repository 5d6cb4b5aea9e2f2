"""Linear face models: the packaged one, and readers of the user's own."""
