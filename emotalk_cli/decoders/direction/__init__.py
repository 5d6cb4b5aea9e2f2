"""What is asked for: emotions over time, strengths, eyes, head and style."""
