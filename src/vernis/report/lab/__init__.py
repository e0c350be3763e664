"""What a lab run leaves behind: its folder, its table and its figures."""
