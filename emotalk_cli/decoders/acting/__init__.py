"""The documented prior: faces, blinks, looks and heads performed over real voices."""
