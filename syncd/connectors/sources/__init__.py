"""The systems that own data about people; each implements the port `syncd.core.ports.Source`."""
