"""How long faster-whisper takes: the CPU seconds of two runs, of which the second counts, as JSON.

python independent.py FOLDER-OF-THE-WEIGHTS SOUND.WAV COMPUTE-TYPE
"""

import json
import sys
import time

from faster_whisper import WhisperModel

folder, sound, kind = sys.argv[1:]
model = WhisperModel(folder, device="cpu", cpu_threads=1, compute_type=kind)
for _ in range(2):
    began = time.process_time()
    segments, _ = model.transcribe(sound, language="en")
    text = "".join(segment.text for segment in segments)
    took = time.process_time() - began
print(json.dumps({"text": text, "cpu": took}))
