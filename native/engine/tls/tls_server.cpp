#include "tls.h"

#include "gpu_module.h"
#include "parent.h"
#include "program_path.h"
#include "temporary_file.h"
#include "user_error.h"

#include "ggml.h"

#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <vector>

namespace fs = std::filesystem;

static const char KEY[] = "--ssl-key-file", CERTIFICATE[] = "--ssl-cert-file";

static constexpr long DAY_S = 24 * 3600, VALID_S = 365 * DAY_S, RENEWED_S = 30 * DAY_S;

template <typename Type, void (*release)(Type *)> struct released {
    void operator()(Type * one) const { release(one); }
};
using bio_ptr  = std::unique_ptr<BIO, int (*)(BIO *)>;
using key_ptr  = std::unique_ptr<EVP_PKEY, released<EVP_PKEY, EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, released<X509, X509_free>>;

static bool is_ip(const std::string & host) {
    ASN1_OCTET_STRING * const address = a2i_IPADDRESS(host.c_str());
    ASN1_OCTET_STRING_free(address);
    return address != nullptr;
}

// The names under which the server is reached.
static std::vector<std::string> names_of(const options & opts) {
    std::vector<std::string> names = { "localhost", "127.0.0.1", "::1" };
    common_params            params;
    options_apply(opts, LLAMA_EXAMPLE_SERVER, params);
    for (const std::string & host : params.hostnames) {
        // What is no name of a host is refused when the server binds.
        if (std::find(names.begin(), names.end(), host) == names.end() && !host.empty() &&
            (is_ip(host) || host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == std::string::npos)) {
            names.push_back(host);
        }
    }
    return names;
}

static void extension_add(X509 * certificate, int id, const std::string & value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION * const extension = X509V3_EXT_nconf_nid(nullptr, &context, id, value.c_str());
    if (!extension || X509_add_ext(certificate, extension, -1) != 1) {
        throw user_error("--https: no certificate can be made with " + value, "give one with --ssl-key-file and --ssl-cert-file");
    }
    X509_EXTENSION_free(extension);
}

static key_ptr key_make() {
    EC_KEY * const curve = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    key_ptr        key(EVP_PKEY_new());
    EC_KEY_generate_key(curve);
    EVP_PKEY_assign_EC_KEY(key.get(), curve);
    return key;
}

static x509_ptr certificate_make(EVP_PKEY * key, const std::vector<std::string> & names) {
    x509_ptr certificate(X509_new());
    X509 *   one    = certificate.get();
    uint64_t serial = 0;
    RAND_bytes((uint8_t *) &serial, sizeof(serial));
    X509_set_version(one, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(one), serial >> 1 | 1);
    X509_gmtime_adj(X509_getm_notBefore(one), -DAY_S); // clocks differ
    X509_gmtime_adj(X509_getm_notAfter(one), VALID_S);
    X509_NAME * const name = X509_get_subject_name(one);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *) "llamapack on this machine", -1, -1, 0);
    X509_set_issuer_name(one, name);
    X509_set_pubkey(one, key);

    std::string alternatives;
    for (const std::string & host : names) {
        alternatives += (alternatives.empty() ? "" : ",") + std::string(is_ip(host) ? "IP:" : "DNS:") + host;
    }
    // It is no authority: whoever trusts it trusts this server alone.
    extension_add(one, NID_basic_constraints, "critical,CA:FALSE");
    extension_add(one, NID_key_usage, "critical,digitalSignature");
    extension_add(one, NID_ext_key_usage, "serverAuth");
    extension_add(one, NID_subject_key_identifier, "hash");
    extension_add(one, NID_authority_key_identifier, "keyid");
    extension_add(one, NID_subject_alt_name, alternatives);
    X509_sign(one, key, EVP_sha256());
    return certificate;
}

static std::string text_of(BIO * written) {
    const uint8_t * bytes = nullptr;
    size_t          size  = 0;
    BIO_mem_contents(written, &bytes, &size);
    return std::string((const char *) bytes, size);
}

static bio_ptr file_open(const std::string & path) {
    FILE * const file = ggml_fopen(path.c_str(), "rb");
    return bio_ptr(file ? BIO_new_fp(file, BIO_CLOSE) : nullptr, BIO_free);
}

static x509_ptr certificate_read(const std::string & path) {
    const bio_ptr file = file_open(path);
    return x509_ptr(file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
}

static key_ptr key_read(const std::string & path) {
    const bio_ptr file = file_open(path);
    return key_ptr(file ? PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, (void *) "") : nullptr);
}

// Whether the pair is one, will be valid for a while, and has all names.
static bool is_usable(const std::string & key_path, const std::string & certificate_path, const std::vector<std::string> & names) {
    const key_ptr  key         = key_read(key_path);
    const x509_ptr certificate = certificate_read(certificate_path);
    return key && certificate && X509_check_private_key(certificate.get(), key.get()) == 1 && X509_cmp_time_posix(X509_get0_notAfter(certificate.get()), time(nullptr) + RENEWED_S) > 0 &&
           std::all_of(names.begin(), names.end(), [&](const std::string & name) {
               return (is_ip(name) ? X509_check_ip_asc(certificate.get(), name.c_str(), 0) : X509_check_host(certificate.get(), name.data(), name.size(), 0, nullptr)) == 1;
           });
}

static bool write_private(const fs::path & path, const std::string & text) {
    FILE * file = file_create_private(path.u8string());
    bool   done = file && fwrite(text.data(), 1, text.size(), file) == text.size();
    return file && fclose(file) == 0 && done;
}

// Makes a pair, in the folder of the cache if that can be written.
static std::pair<std::string, std::string> pair_make(const std::vector<std::string> & names) {
    const fs::path    place      = fs::u8path(gpu_cache()).parent_path() / "https";
    const std::string key_path   = (place / "key.pem").u8string();
    const std::string cert_path  = (place / "cert.pem").u8string();
    if (is_usable(key_path, cert_path, names)) {
        return { key_path, cert_path };
    }
    const key_ptr  key         = key_make();
    const x509_ptr certificate = certificate_make(key.get(), names);
    const bio_ptr  key_text(BIO_new(BIO_s_mem()), BIO_free), certificate_text(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_bio_X509(certificate_text.get(), certificate.get());

    // Both at once: a start at the same time takes the one or the other pair.
    const fs::path  made = place.parent_path() / (".https-" + process_number());
    std::error_code error;
    fs::create_directory(made, error);
    fs::permissions(made, fs::perms::owner_all, error);
    if (write_private(made / "key.pem", text_of(key_text.get())) && write_private(made / "cert.pem", text_of(certificate_text.get()))) {
        fs::remove_all(place, error);
        fs::rename(made, place, error);
    }
    fs::remove_all(made, error);
    if (is_usable(key_path, cert_path, names)) {
        return { key_path, cert_path };
    }
    return { temporary_file_write(text_of(key_text.get())), temporary_file_write(text_of(certificate_text.get())) };
}

static std::string fingerprint(const std::string & path) {
    const x509_ptr certificate = certificate_read(path);
    uint8_t        digest[EVP_MAX_MD_SIZE];
    unsigned       size = 0;
    X509_digest(certificate.get(), EVP_sha256(), digest, &size);
    std::string text;
    for (unsigned i = 0; i < size; i++) {
        char byte[4];
        snprintf(byte, sizeof(byte), "%s%02X", i > 0 ? ":" : "", digest[i]);
        text += byte;
    }
    return text;
}

void tls_server_settle(options & opts) {
    // The processes of several models inherit the environment, and speak to their router alone.
    for (const char * name : { KEY, CERTIFICATE }) {
        const std::string variable = options_environment(name);
        if (!opts.find(name) && !environment_get(variable.c_str()).empty()) {
            opts.add(name, environment_get(variable.c_str()));
        }
        environment_remove(variable.c_str());
    }
    const std::string key = opts.value(KEY), certificate = opts.value(CERTIFICATE);
    if (key.empty() != certificate.empty()) {
        throw user_error(std::string(key.empty() ? CERTIFICATE : KEY) + " needs " + (key.empty() ? KEY : CERTIFICATE) + " with it",
                         "give both files, or --https alone, which makes them");
    }
    if (!key.empty()) {
        const key_ptr  private_key = key_read(key);
        const x509_ptr leaf        = certificate_read(certificate);
        if (!private_key || !leaf) {
            throw user_error((private_key ? certificate : key) + ": is not a PEM file with a " + (private_key ? "certificate" : "private key without a password"),
                             "convert it with `openssl`, or let --https make a pair");
        }
        if (X509_check_private_key(leaf.get(), private_key.get()) != 1) {
            throw user_error(certificate + ": is not the certificate of the key " + key, "give the two that were made together");
        }
        return;
    }
    if (opts.https) {
        const auto [made_key, made_certificate] = pair_make(names_of(opts));
        opts.add(KEY, made_key);
        opts.add(CERTIFICATE, made_certificate);
        fprintf(stderr, "https: certificate %s\nhttps: its SHA-256 is %s\n", made_certificate.c_str(), fingerprint(made_certificate).c_str());
    }
}
