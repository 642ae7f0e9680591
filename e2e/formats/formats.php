<?php
// Seals and opens cookies as WorkOS's SDK for PHP does, with PHP's own sodium; and seals them as versions
// 4.30 to 4.32 did, written after the documentation of Halite 5, which is not in Debian.
//
// standard input: {"command": "seal" | "open", "format": "php" | "php-4", "password": ..., "text": ..., "expires_at": ...}
// standard output: the result

declare(strict_types=1);

function blake(string $text, string $key, int $size = 32): string
{
    return sodium_crypto_generichash($text, $key, $size);
}

function counted(string ...$parts): string
{
    $text = pack('P', count($parts));
    foreach ($parts as $part) {
        $text .= pack('P', strlen($part)) . $part;
    }
    return $text;
}

function halite(string $password, string $text): string
{
    $version = "\x31\x42\x05\x00";
    $salt = random_bytes(32);
    $nonce = random_bytes(24);
    $prk = blake(hash_hkdf('sha256', $password, 32), str_repeat("\0", 32));
    $key = blake("Halite|EncryptionKey{$salt}\x01", $prk);
    $ciphertext = sodium_crypto_stream_xchacha20_xor($text, $nonce, $key);
    $macKey = blake("AuthenticationKeyFor_|Halite{$salt}\x01", $prk);
    $mac = blake(counted($version, $salt, $nonce, '', $ciphertext), $macKey, 64);
    return strtr(base64_encode($version . $salt . $nonce . $ciphertext . $mac), '+/', '-_');
}

$task = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
$text = $task['text'];
if ($task['command'] === 'seal' && $task['format'] === 'php-4') {
    $payload = ['data' => json_decode($text, true, 512, JSON_THROW_ON_ERROR), 'expires_at' => $task['expires_at']];
    echo base64_encode(halite($task['password'], json_encode($payload, JSON_THROW_ON_ERROR)));
    exit;
}
$key = base64_decode($task['password']);
if ($task['command'] === 'seal') {
    $nonce = random_bytes(SODIUM_CRYPTO_SECRETBOX_NONCEBYTES);
    echo base64_encode($nonce . sodium_crypto_secretbox($text, $nonce, $key));
    exit;
}
$raw = base64_decode($text, true);
$plaintext = sodium_crypto_secretbox_open(
    substr($raw, SODIUM_CRYPTO_SECRETBOX_NONCEBYTES),
    substr($raw, 0, SODIUM_CRYPTO_SECRETBOX_NONCEBYTES),
    $key
);
if ($plaintext === false) {
    fwrite(STDERR, "does not open\n");
    exit(1);
}
echo $plaintext;
