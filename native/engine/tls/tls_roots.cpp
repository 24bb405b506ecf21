#include "hooks/tls_roots.h"

#include "tls.h"

#include "archive.h"
#include "gzip_member.h"
#include "program_path.h"

#include <openssl/pem.h>

#include <mutex>

#undef CertOpenSystemStoreW
#undef SSL_CTX_set_default_verify_paths
#undef SSL_get_verify_result

static const char ROOTS[] = "tls/roots.pem";

static std::mutex    mutex;
static std::string & bundle_path() {
    static std::string path;
    return path;
}

static std::string & failure() {
    static std::string text;
    return text;
}

void tls_roots_set_bundle(const std::string & path) {
    bundle_path() = path;
}

std::string tls_failure() {
    std::lock_guard<std::mutex> lock(mutex);
    return failure();
}

long tls_verify_result(const SSL * connection) {
    const long result = SSL_get_verify_result(connection);
    if (result != X509_V_OK) {
        std::lock_guard<std::mutex> lock(mutex);
        failure() = X509_verify_cert_error_string(result);
    }
    return result;
}

static std::string packed_roots() {
    archive            from;
    const zip_member * member = bundle_path().empty() || from.open(bundle_path()) ? nullptr : from.find(ROOTS);
    const std::string  packed = member ? gzip_member(from, *member) : "";
    return packed.empty() ? "" : gzip_plain((const unsigned char *) packed.data(), packed.size());
}

// Calls `add` with each certificate of a list.
template <typename Add> static void each_certificate(BIO * list, const Add & add) {
    while (X509 * one = list ? PEM_read_bio_X509(list, nullptr, nullptr, nullptr) : nullptr) {
        add(one);
        X509_free(one);
    }
    ERR_clear_error(); // of the end
    BIO_free(list);
}

static BIO * packed_list() {
    static const std::string text = packed_roots();
    return text.empty() ? nullptr : BIO_new_mem_buf(text.data(), (int) text.size());
}

#ifdef _WIN32

HCERTSTORE tls_roots_open(HCRYPTPROV_LEGACY, const wchar_t * name) {
    const std::string named = environment_get("SSL_CERT_FILE");
    if (std::wstring(name) != L"ROOT") {
        return named.empty() ? CertOpenSystemStoreW(0, name) : nullptr;
    }
    // Windows fetches its own roots when a program asks for them; until then its list lacks most.
    const HCERTSTORE all   = CertOpenStore(CERT_STORE_PROV_COLLECTION, 0, 0, 0, nullptr);
    const HCERTSTORE ours  = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, nullptr);
    const HCERTSTORE system = named.empty() ? CertOpenSystemStoreW(0, name) : nullptr;
    each_certificate(named.empty() ? packed_list() : BIO_new_file(named.c_str(), "rb"), [&](X509 * one) {
        unsigned char * bytes = nullptr;
        const int       size  = i2d_X509(one, &bytes);
        if (size > 0) {
            CertAddEncodedCertificateToStore(ours, X509_ASN_ENCODING, bytes, (DWORD) size, CERT_STORE_ADD_ALWAYS, nullptr);
            OPENSSL_free(bytes);
        }
    });
    for (const HCERTSTORE part : { system, ours }) {
        if (part) {
            CertAddStoreToCollection(all, part, 0, 0);
            CertCloseStore(part, 0); // the collection has it
        }
    }
    return all;
}

#else

// Debian, Fedora, openSUSE, RHEL, NetBSD; Alpine, OpenBSD, macOS and FreeBSD; older FreeBSD.
static const char * const LISTS[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/openssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem", "/usr/local/share/certs/ca-root-nss.crt",
};

static X509_STORE * roots() {
    X509_STORE * store = X509_STORE_new();
    if (!environment_get("SSL_CERT_FILE").empty() || !environment_get("SSL_CERT_DIR").empty()) {
        X509_STORE_set_default_paths(store);
        return store;
    }
    for (const char * list : LISTS) {
        if (X509_STORE_load_locations(store, list, nullptr) == 1) {
            return store;
        }
    }
    each_certificate(packed_list(), [&](X509 * one) { X509_STORE_add_cert(store, one); });
    return store;
}

int tls_roots_load(SSL_CTX * context) {
    static X509_STORE * const store = roots();
    ERR_clear_error(); // of the lists that are not there
    X509_STORE_up_ref(store);
    SSL_CTX_set_cert_store(context, store);
    return 1;
}

#endif
