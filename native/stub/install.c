// Puts an engine into the cache.
#include "stub.h"

#include "../bundle/sha256.h"
#include "../bundle/zip_extract.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct output {
    os_file       file;
    int           error; // of a write that failed
    struct sha256 hash;
};

static int write_output(void * sink, const void * data, size_t size) {
    struct output * output = sink;
    sha256_add(&output->hash, data, size);
    return output->error = os_write(output->file, data, size);
}

int extract_file(const struct bundle * bundle, const struct engine * engine, const struct sum * sum, os_file file) {
    struct output output = {.file = file};
    uint8_t       digest[32];
    char          hex[65];
    const char *  reason = NULL;
    sha256_begin(&output.hash);
    if (zip_extract(&bundle->dir, sum->member, write_output, &output, &reason) != 0 && output.error) {
        return output.error;
    }
    sha256_end(&output.hash, digest);
    sha256_hex(digest, hex);
    if (!reason && strcmp(hex, sum->hex) != 0) {
        reason = "its SHA-256 differs";
    }
    if (reason) {
        die("Fetch it again, or repack it.", "`%s` is damaged: its member engines/%s/%s: %s", bundle->path,
            engine->target, sum->file, reason);
    }
    return 0;
}

// What is half written must go also when the bundle turns out to be damaged.
static char    temporary[PATH_SIZE];
static os_file unfinished;
static bool    is_unfinished;

static void remove_temporary(void) {
    if (is_unfinished) {
        os_close(unfinished, false);
        is_unfinished = false;
    }
    if (*temporary) {
        remove_dir(temporary);
        *temporary = 0;
    }
}

// Writes all files of the engine into the temporary directory.
static int extract_files(const struct bundle * bundle, const struct engine * engine) {
    const char * cursor = engine->sums;
    char         file[PATH_SIZE];
    struct sum   sum;
    while (next_file(bundle, engine, &cursor, &sum)) {
        bool program = strcmp(sum.file, TARGET_PROGRAM) == 0;
        // The directory's own name is longer than any file's: it would have failed before.
        text_format(file, sizeof(file), "%s/%s", temporary, sum.file);
        int error = os_create(&unfinished, file, program);
        if (error) {
            return error;
        }
        is_unfinished = true;
        error         = extract_file(bundle, engine, &sum, unfinished);
        is_unfinished = false;
        int closed    = os_close(unfinished, !error);
        if (error || closed) {
            return error ? error : closed;
        }
    }
    return os_sync_dir(temporary);
}

// Renames the finished directory to its final name. What is there already was either put there by
// another process just now, which is fine, or is damaged and goes away.
static int publish(
    const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine, const char * final) {
    char parent[PATH_SIZE], trash[PATH_SIZE];
    int  error = 0;
    for (unsigned long long i = 0; i < 100; i++) {
        if ((error = os_rename_dir(temporary, final)) == 0) {
            note_check(bundle, dir, engine);
            text_format(parent, sizeof(parent), "%s/engines", dir->path);
            os_sync_dir(parent); // where this fails, a loss of power means another installation
            return 0;
        }
        if (error != OS_EXISTS) {
            return error;
        }
        if (is_cached(bundle, dir, engine)) {
            return 0;
        }
        text_format(trash, sizeof(trash), "%s.old-%llu", temporary, i);
        int moved = os_rename_dir(final, trash);
        if (moved == 0) {
            remove_dir(trash);
        } else if (moved != OS_EXISTS) {
            error = moved;
        }
    }
    return error;
}

const char * install_engine(
    const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine,
    enum verdict * verdict, const char ** reason) {
    char final[PATH_SIZE], program[PATH_SIZE];
    // Room for the names of files and of trash.
    if (!text_format(
            temporary, sizeof(temporary) - NAME_SIZE, "%s/engines/.%s-%s-XXXXXX", dir->path, engine->target,
            engine->id)) {
        *temporary = 0;
        return "its path is too long";
    }
    int  error = os_make_temporary_dir(temporary);
    bool lasting;
    if (error) {
        *temporary = 0;
        return os_reason(error);
    }
    atexit(remove_temporary);
    engine_path(final, dir, engine, "");
    program_path(program, temporary);

    const char * problem = NULL;
    if (!(error = extract_files(bundle, engine))) {
        *verdict = os_probe(program, reason, &lasting);
        record_verdict(dir, engine, lasting || *verdict == WORKS ? *verdict : UNKNOWN);
        if (*verdict == FORBIDDEN) {
            problem = *reason;
        } else if (*verdict == WORKS) {
            error = publish(bundle, dir, engine, final);
        }
    }
    remove_temporary();
    return error ? os_reason(error) : problem;
}
