"""What syncd remembers: SQLAlchemy Core, no ORM, functions over an open transaction."""
