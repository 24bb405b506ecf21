// A small APE loader for tests, written from cosmopolitan's ape/specification.md: finds the ELF
// header for this machine among the printf statements in the first 8192 bytes, maps its segments out
// of the file and jumps to its entry. Usage: loader FILE [ARGS], as binfmt_misc calls it.
// Link it -static, at an address that programs do not use.
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

enum { SCANNED = 8192, SEGMENTS_MAX = 18, STACK_SIZE = 8 << 20 };

static _Noreturn void die(const char * reason) {
    fprintf(stderr, "loader: %s\n", reason);
    exit(127);
}

static size_t decode(const char * p, const char * end, unsigned char * out, size_t room) {
    size_t n = 0;
    while (p < end && *p != '\'' && n < room) {
        int c = (unsigned char) *p++;
        if (c == '\\' && p < end && *p >= '0' && *p <= '7') {
            c = 0;
            for (int i = 0; i < 3 && p < end && *p >= '0' && *p <= '7'; i++) {
                c = c * 8 + *p++ - '0';
            }
        }
        out[n++] = (unsigned char) c;
    }
    return n;
}

static void find_header(int fd, Elf64_Ehdr * header) {
    static char text[SCANNED + 1];
    ssize_t     size = pread(fd, text, SCANNED, 0);
    if (size < 64 || (memcmp(text, "jartsr='", 8) && memcmp(text, "MZqFpD='", 8))) {
        die("no APE magic");
    }
    for (char * p = text; p + 8 < text + size; p++) {
        if (memcmp(p, "printf '", 8) == 0 &&
            decode(p + 8, text + size, (unsigned char *) header, sizeof(*header)) == sizeof(*header) &&
            memcmp(header->e_ident, ELFMAG, 4) == 0 && header->e_machine == MACHINE) {
            return;
        }
    }
    die("no ELF header for this machine");
}

static void map_segment(int fd, const Elf64_Phdr * s) {
    uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE), mask = ~(page - 1);
    uintptr_t end  = s->p_vaddr + s->p_filesz, last = s->p_vaddr + s->p_memsz;
    uintptr_t bss  = (end + page - 1) & mask;
    int prot = (s->p_flags & PF_R ? PROT_READ : 0) | (s->p_flags & PF_W ? PROT_WRITE : 0) |
               (s->p_flags & PF_X ? PROT_EXEC : 0);
    if ((s->p_vaddr & ~mask) != (s->p_offset & ~mask)) {
        die("p_vaddr is not congruent to p_offset");
    }
    if (s->p_filesz &&
        mmap((void *) (s->p_vaddr & mask), end - (s->p_vaddr & mask), prot, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
            (off_t) (s->p_offset & mask)) == MAP_FAILED) {
        die("mmap of a segment");
    }
    if (last > end && s->p_filesz) {
        memset((void *) end, 0, (last < bss ? last : bss) - end);
    }
    if (last > bss && mmap((void *) bss, last - bss, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
                          MAP_FAILED) {
        die("mmap of bss");
    }
}

static _Noreturn void jump(uintptr_t entry, void * stack) {
#ifdef __aarch64__
    __asm__ volatile("mov sp, %0\n mov x0, #0\n br %1" ::"r"(stack), "r"(entry) : "x0");
#else
    __asm__ volatile("mov %0, %%rsp\n xor %%edx, %%edx\n xor %%ebp, %%ebp\n jmp *%1" ::"r"(stack), "r"(entry) : "rdx");
#endif
    __builtin_unreachable();
}

int main(int argc, char ** argv, char ** envp) {
    static Elf64_Phdr table[SEGMENTS_MAX];
    Elf64_Ehdr        header;
    int               fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        die("cannot open the program");
    }
    find_header(fd, &header);
    size_t size = header.e_phnum * sizeof(*table);
    if (header.e_phnum > SEGMENTS_MAX || pread(fd, table, size, (off_t) header.e_phoff) != (ssize_t) size) {
        die("program headers");
    }
    for (int i = 0; i < header.e_phnum; i++) {
        if (table[i].p_type == PT_INTERP || table[i].p_type == PT_DYNAMIC) {
            die("PT_INTERP or PT_DYNAMIC");
        }
        if (table[i].p_type == PT_LOAD) {
            map_segment(fd, &table[i]);
        }
    }
    close(fd);

    // The new stack: argc, arguments without our own name, environment, auxiliary values.
    char *      base  = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t * stack = (uintptr_t *) (base + STACK_SIZE - (1 << 20)), *p = stack;
    *p++ = (uintptr_t) (argc - 1);
    for (int i = 1; i <= argc; i++) {
        *p++ = (uintptr_t) argv[i];
    }
    do {
        *p++ = (uintptr_t) *envp;
    } while (*envp++);
    for (uintptr_t * aux = (uintptr_t *) envp;; aux += 2) {
        p[0] = aux[0];
        p[1] = aux[0] == AT_PHDR    ? (uintptr_t) table
               : aux[0] == AT_PHENT ? sizeof(*table)
               : aux[0] == AT_PHNUM ? header.e_phnum
                                    : aux[1];
        p += 2;
        if (aux[0] == AT_NULL) {
            break;
        }
    }
    jump(header.e_entry, stack);
}
