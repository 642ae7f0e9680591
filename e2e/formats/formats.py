"""Seals and opens cookies as WorkOS's SDK for Python does, with the cryptography package.

standard input: {"command": "seal" | "open", "password": ..., "text": ...}; standard output: the result
"""

import json
import sys

from cryptography.fernet import Fernet

task = json.load(sys.stdin)
fernet = Fernet(task["password"])
if task["command"] == "seal":
    result = fernet.encrypt(task["text"].encode())
else:
    result = fernet.decrypt(task["text"].encode())
sys.stdout.buffer.write(result)
