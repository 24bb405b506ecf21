#include "archive.h"

#include "ggml.h"

#ifdef _WIN32
#    define file_seek _fseeki64
#    define file_tell _ftelli64
#else
#    define file_seek fseeko
#    define file_tell ftello
#endif

static int64_t file_read_at(void * file, void * buf, size_t size, uint64_t offset) {
    FILE * f = (FILE *) file;
    if (file_seek(f, offset, SEEK_SET) != 0) {
        return -1;
    }
    const size_t got = fread(buf, 1, size, f);
    return got < size && ferror(f) ? -1 : (int64_t) got;
}

static int64_t file_size(FILE * file) {
    return file_seek(file, 0, SEEK_END) == 0 ? (int64_t) file_tell(file) : -1;
}

archive::~archive() {
    zip_directory_free(&entries);
    if (file) {
        fclose(file);
    }
}

const char * archive::open(const std::string & path) {
    FILE * opened = ggml_fopen(path.c_str(), "rb");
    if (!opened) {
        return "cannot be opened";
    }
    const char *  error = "its size cannot be told";
    zip_directory read{};
    const int64_t size = file_size(opened);
    if (size < 0 || zip_directory_read(&read, file_read_at, opened, (uint64_t) size, &error) != 0) {
        fclose(opened);
        return error;
    }
    zip_directory_free(&entries);
    if (file) {
        fclose(file);
    }
    file    = opened;
    entries = read;
    return nullptr;
}

const zip_member * archive::find(const std::string & name) const {
    return file ? zip_find(&entries, name.c_str()) : nullptr;
}

std::string archive::bytes(uint64_t offset, uint64_t size) const {
    std::string data(size, '\0');
    return file && file_read_at(file, data.data(), size, offset) == (int64_t) size ? data : "";
}
