# Seals and opens cookies as WorkOS's SDKs for Ruby and Go do, with Ruby's own OpenSSL, and as
# Ruby's did up to 6.2, with the encryptor gem.
#
# standard input: {"command": "seal" | "open", "format": "ruby" | "ruby-6" | "go", "password": ..., "text": ...}
# standard output: the result

require "base64"
require "json"
require "openssl"

def gcm(mode, key, nonce, tag = nil)
  cipher = OpenSSL::Cipher.new("aes-256-gcm").public_send(mode)
  cipher.key = key
  cipher.iv = nonce
  cipher.auth_tag = tag if tag
  cipher
end

def digest(password) = OpenSSL::Digest::SHA256.digest(password)

def go_key(password) = password.match?(/\A\h{64}\z/) ? [password].pack("H*") : digest(password)

def seal(format, password, text)
  if format == "ruby-6"
    require "encryptor"
    nonce = OpenSSL::Random.random_bytes(12)
    sealed = Encryptor.encrypt(value: text, key: password, iv: nonce, algorithm: "aes-256-gcm")
    return Base64.encode64(nonce + sealed)
  end
  nonce = OpenSSL::Random.random_bytes(12)
  cipher = gcm(:encrypt, format == "go" ? go_key(password) : digest(password), nonce)
  ciphertext = cipher.update(text) + cipher.final
  raw = format == "go" ? nonce + ciphertext + cipher.auth_tag : "\x01".b + nonce + cipher.auth_tag + ciphertext
  Base64.strict_encode64(raw)
end

def open_sealed(format, password, text)
  raw = Base64.strict_decode64(text)
  if format == "go"
    key, nonce, tag, ciphertext = go_key(password), raw[0, 12], raw[-16..], raw[12...-16]
  else
    abort "not of version 1" unless raw.getbyte(0) == 1
    key, nonce, tag, ciphertext = digest(password), raw[1, 12], raw[13, 16], raw[29..]
  end
  cipher = gcm(:decrypt, key, nonce, tag)
  cipher.update(ciphertext) + cipher.final
end

task = JSON.parse($stdin.read)
work = task["command"] == "seal" ? :seal : :open_sealed
print send(work, task["format"], task["password"], task["text"])
