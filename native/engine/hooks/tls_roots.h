// Included by the compiler in front of upstream's HTTP library: whom its clients trust.
#pragma once

#include <cpp-httplib/httplib.h>

// What SSL_CERT_FILE or SSL_CERT_DIR name; else the system's list; else that of the bundle.
int tls_roots_load(SSL_CTX * context);

// Keeps why a server's certificate was refused, for tls_failure().
long tls_verify_result(const SSL * connection);

#ifdef _WIN32
// The same for a system whose list is no file.
HCERTSTORE tls_roots_open(HCRYPTPROV_LEGACY provider, const wchar_t * name);
#    define CertOpenSystemStoreW tls_roots_open
#endif
#define SSL_CTX_set_default_verify_paths tls_roots_load
#define SSL_get_verify_result            tls_verify_result
