"""Migrations of the state database, run by `syncd.state.upgrade`."""
