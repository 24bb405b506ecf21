@echo off
rem What Windows' cmd.exe reads of a bundle: takes the start stub out of the archive behind, and runs it.
rem Shells read it as quoted text: no single quote. cmd.exe searches the whole file for a label: no goto.
setlocal EnableExtensions DisableDelayedExpansion
set "LLAMAPACK_BUNDLE=%~f0"
rem Only Explorer leaves a blank in front of the last quote. Its window closes at the end, and shows our first line.
rem Twice, for a cmd.exe without the variable: it leaves a quote.
set "w=%CMDCMDLINE:"=?%"
set "w=%w:"=?%"
if not "%w:~-3%"=="? ?" set "w="
if defined w cls
set "c=%LLAMAPACK_CACHE%"
if not defined c if defined LOCALAPPDATA set "c=%LOCALAPPDATA%\llamapack"
@STUBS@
set "s=%c%\stubs\%h%.exe"
set "n=.%h%.%RANDOM%%RANDOM%"
set "t=%c%\stubs\%n%"
rem A 32-bit program that started cmd.exe sees another System32.
set "r=%SystemRoot%\Sysnative\tar.exe"
if not exist "%r%" set "r=%SystemRoot%\System32\tar.exe"
set "g="
if defined c for %%F in ("%s%") do if "%%~zF"=="%z%" set "g=1"
if not defined g if not exist "%r%" (
echo ERROR "%~f0" cannot be unpacked: there is no "%r%">&2
echo TIP Windows has it since version 1803. Or get the file as an .exe: "llamapack pack --windows external" makes one.>&2
if defined w pause
exit /b 1
)
set "p="
if not defined g if defined c md "%t%" 2>nul
if not defined g if exist "%t%" set "p=1"
if defined p pushd "%t%"
if not exist "..\%n%" set "p="
rem Its standard input, since not every name survives as its argument.
if defined p "%r%" -xf - "start/%a%.exe" <"%LLAMAPACK_BUNDLE%"
if defined p popd
set "m="
if defined p for %%F in ("%t%\start\%a%.exe") do if "%%~zF"=="%z%" set "m=1"
if defined m move /y "%t%\start\%a%.exe" "%s%" >nul 2>nul
if defined p rd /s /q "%t%" 2>nul
if defined c for %%F in ("%s%") do if "%%~zF"=="%z%" set "g=1"
if not defined g (
echo ERROR "%~f0" cannot be unpacked into "%c%\stubs">&2
echo TIP Make room there, or set LLAMAPACK_CACHE to a folder of yours. If the file was downloaded, compare its size.>&2
if defined w pause
exit /b 1
)
"%s%" %*
set "e=%ERRORLEVEL%"
if defined w if not "%e%"=="0" pause
exit /b %e%
