// Stands in for the Windows stub. Says what it was given, and leans on what embedding might break:
// relocations, thread-local storage, unwinding, and the headers at the image's base.
#include <setjmp.h>
#include <stdio.h>
#include <windows.h>

extern IMAGE_DOS_HEADER __ImageBase;

static _Thread_local int local = 41;
static int (*const volatile function)(const char *, ...) = printf;

static const IMAGE_NT_HEADERS * headers(void) {
    return (const IMAGE_NT_HEADERS *) ((const char *) &__ImageBase + __ImageBase.e_lfanew);
}

static DWORD WINAPI in_thread(void * unused) {
    (void) unused;
    return (DWORD) ++local;
}

static LONG WINAPI on_fault(EXCEPTION_POINTERS * fault) {
    (void) fault;
    function("faulted\n");
    fflush(stdout);
    ExitProcess(7);
}

int main(int argc, char ** argv) {
    DWORD  result = 0;
    HANDLE thread = CreateThread(NULL, 0, in_thread, NULL, 0, NULL);
    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &result);
    function("local %d %lu\n", local, result);
    function("signature %.2s\n", (const char *) &headers()->Signature);
    DWORD64            base   = 0;
    RUNTIME_FUNCTION * unwind = RtlLookupFunctionEntry((DWORD64) (ULONG_PTR) main, &base, NULL);
    function("unwind %d\n", unwind && base == (DWORD64) (ULONG_PTR) &__ImageBase);
    jmp_buf there;
    if (setjmp(there) == 0) {
        longjmp(there, 1);
    }
    for (int i = 1; i < argc; i++) {
        function("argument %s\n", argv[i]);
    }
    SetUnhandledExceptionFilter(on_fault);
    *(volatile int *) 0 = 0;
    return 1;
}
