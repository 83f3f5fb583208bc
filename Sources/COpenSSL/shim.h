// OpenSSL's message digests and HMAC, as Swift can see them (libssl-dev).
#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>
